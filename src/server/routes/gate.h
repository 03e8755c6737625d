// Who may come in: the one place that every request passes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "server/http/message.h"
#include "server/routes/route.h"

namespace sensorium::server {

struct ApiKey {
  std::string name;
  Sha256Digest digest;              // of the key; the key itself is nowhere
  int64_t requests_per_minute = 0;  // 0: any number
  int64_t concurrent = 0;           // 0: any number
};

// A file of keys: a line per key, "NAME SHA256 [rpm=N] [concurrent=N]"; # begins a comment. Throws Error with the line.
std::vector<ApiKey> read_key_file(const std::filesystem::path& path);
// A new key of 192 random bits, and its line for the file.
struct NewKey {
  std::string key, line;
};
NewKey make_key(const std::string& name);

struct GateOptions {
  std::vector<ApiKey> keys;                // none: everybody may
  std::vector<std::string> allowed_hosts;  // names that a request's Host may have; none: any
  // The connections come from a proxy, which says in X-Forwarded-For who its client is.
  bool behind_proxy = false;
  std::vector<std::string> origins;  // of web pages elsewhere that may call ("https://app.example"; "*": any)
};

// Thread-safe.
class Gate {
 public:
  explicit Gate(GateOptions options) : options_(std::move(options)) {}

  // The client's name: its key's, or its address. Throws ApiError: 421 (a Host that is not this server's), 403 (a web page from
  // elsewhere), 401 (no key, or an unknown one), 429 (the key's limits).
  std::string admit(const Request& request, Route::Access access);
  // An admitted request is over.
  void leave(const std::string& client);
  // The origin that the answer's CORS headers name; "" for none.
  std::string allowed_origin(const Request& request) const;
  bool open() const { return options_.keys.empty(); }

 private:
  struct Usage {
    double tokens = 0;  // of the bucket that refills with requests_per_minute
    std::chrono::steady_clock::time_point refilled{};
    int64_t running = 0;
  };
  std::string address_of(const Request& request) const;
  void check_host(const Request& request) const;
  void count(const ApiKey& key);

  GateOptions options_;
  std::mutex mutex_;
  std::map<std::string, Usage> usage_;
};

}  // namespace sensorium::server
