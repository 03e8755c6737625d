#include "server/routes/gate.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/file.h"

namespace sensorium::server {
namespace {

// Takes the same time wherever the first difference is.
bool equal_digests(const Sha256Digest& a, const Sha256Digest& b) {
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

// "host:80" or "[::1]:80" without the port, in lower case.
std::string host_name(std::string_view host) {
  const size_t bracket = host.rfind(']'), colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket))
    host = host.substr(0, colon);
  std::string name(host);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// What a request shows as its key: the header of OpenAI's clients, of Google's, or Google's parameter.
std::string presented_key(const Request& request) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view authorization = request.header("authorization");
  if (authorization.size() > kBearer.size()) {
    std::string scheme(authorization.substr(0, kBearer.size()));
    std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (scheme == kBearer) return std::string(authorization.substr(kBearer.size()));
  }
  if (const std::string_view google = request.header("x-goog-api-key"); !google.empty()) return std::string(google);
  return request.parameter("key").value_or("");
}

ApiKey read_key_line(const std::string& line, const std::string& where) {
  std::istringstream words(line);
  ApiKey key;
  std::string digest;
  words >> key.name >> digest;
  bool good = digest.size() == 2 * key.digest.size();
  for (size_t i = 0; good && i < key.digest.size(); ++i) {
    const char* const at = digest.data() + 2 * i;
    good = std::from_chars(at, at + 2, key.digest[i], 16).ptr == at + 2;
  }
  require(good, ErrorKind::usage,
          "{}: expected NAME and the SHA-256 of a key in 64 hexadecimal digits; make a line with sensorium serve "
          "--new-key NAME",
          where);
  for (std::string word; words >> word;) {
    int64_t* const limit = word.starts_with("rpm=")          ? &key.requests_per_minute
                           : word.starts_with("concurrent=") ? &key.concurrent
                                                             : nullptr;
    const char* const begin = word.data() + word.find('=') + 1;
    const char* const end = word.data() + word.size();
    require(limit != nullptr && std::from_chars(begin, end, *limit).ptr == end && begin<end&& * limit> 0,
            ErrorKind::usage, "{}: \"{}\" is neither rpm=N nor concurrent=N", where, word);
  }
  return key;
}

}  // namespace

std::vector<ApiKey> read_key_file(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path, size_t{1} << 20));
  std::vector<ApiKey> keys;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    keys.push_back(read_key_line(line, fmt::format("{}:{}", path.string(), number)));
  }
  require(!keys.empty(), ErrorKind::usage, "{}: there is no key in it; make a line with sensorium serve --new-key NAME",
          path.string());
  return keys;
}

NewKey make_key(const std::string& name) {
  require(!name.empty() && name.find_first_of(" \t\r\n#") == std::string::npos, ErrorKind::usage,
          "\"{}\" is no name for a key: one word without #", name);
  std::array<uint8_t, 24> random{};
  require(getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()), ErrorKind::io,
          "the system gives no random bytes");
  NewKey made{.key = "sk-" + to_hex(random), .line = {}};
  made.line = fmt::format("{} {}", name, to_hex(sha256(made.key)));
  return made;
}

void Gate::check_host(const Request& request) const {
  if (options_.allowed_hosts.empty()) return;
  const std::string host = host_name(request.header("host"));
  if (std::ranges::find(options_.allowed_hosts, host) == options_.allowed_hosts.end()) {
    throw ApiError(421, "this server does not answer for that Host; --allow-host NAME adds one", "unknown_host");
  }
}

std::string Gate::allowed_origin(const Request& request) const {
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return {};
  for (const std::string& allowed : options_.origins) {
    if (allowed == "*" || allowed == origin) return std::string(origin);
  }
  return {};
}

// The last entry is the proxy's own; what stands before it may be the client's invention.
std::string Gate::address_of(const Request& request) const {
  const std::string_view forwarded = request.header("x-forwarded-for");
  if (!options_.behind_proxy || forwarded.empty()) return request.peer;
  const size_t comma = forwarded.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? forwarded : forwarded.substr(comma + 1);
  const size_t begin = last.find_first_not_of(' ');
  return begin == std::string_view::npos ? request.peer : std::string(last.substr(begin, 64));
}

std::string Gate::admit(const Request& request, Route::Access access) {
  check_host(request);
  // A browser names the page that a request comes from; one from elsewhere must not spend this machine's time unseen.
  const std::string_view origin = request.header("origin");
  if (!origin.empty() && request.method != "GET" && request.method != "HEAD" && allowed_origin(request).empty()) {
    const size_t scheme = origin.find("://");
    const std::string_view place = scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
    if (place != request.header("host"))
      throw ApiError(403, "pages of that origin may not call this server; --allow-origin names those that may",
                     "origin_not_allowed");
  }
  if (options_.keys.empty() || access == Route::Access::open) return address_of(request);
  const std::string key = presented_key(request);
  if (key.empty()) throw ApiError(401, "an API key is needed: Authorization: Bearer KEY", "missing_api_key");
  const Sha256Digest digest = sha256(key);
  const ApiKey* known = nullptr;
  for (const ApiKey& candidate : options_.keys) {
    if (equal_digests(candidate.digest, digest)) known = &candidate;
  }
  if (known == nullptr) throw ApiError(401, "the API key is not known here", "invalid_api_key");
  count(*known);
  return known->name;
}

void Gate::count(const ApiKey& key) {
  const std::lock_guard lock(mutex_);
  Usage& usage = usage_[key.name];
  if (key.concurrent > 0 && usage.running >= key.concurrent) {
    throw ApiError(429, fmt::format("this key has {} requests running already", usage.running), "rate_limit_exceeded")
        .retry_after(1);
  }
  if (key.requests_per_minute > 0) {
    const auto now = std::chrono::steady_clock::now();
    const auto most = static_cast<double>(key.requests_per_minute);
    const double minutes = usage.refilled == std::chrono::steady_clock::time_point{}
                               ? 1
                               : std::chrono::duration<double, std::ratio<60>>(now - usage.refilled).count();
    usage.tokens = std::min(most, usage.tokens + minutes * most);
    usage.refilled = now;
    if (usage.tokens < 1) {
      const auto wait = static_cast<int64_t>(std::ceil((1 - usage.tokens) * 60 / most));
      throw ApiError(429, fmt::format("this key may make {} requests a minute", key.requests_per_minute),
                     "rate_limit_exceeded")
          .retry_after(wait);
    }
    usage.tokens -= 1;
  }
  ++usage.running;
}

void Gate::leave(const std::string& client) {
  const std::lock_guard lock(mutex_);
  const auto found = usage_.find(client);
  if (found != usage_.end() && found->second.running > 0) --found->second.running;
}

}  // namespace sensorium::server
