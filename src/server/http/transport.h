// The bytes of a connection, as they are or inside TLS.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace sensorium::server {

// What became of an attempt to read or write without waiting.
struct IoOutcome {
  enum class Kind : uint8_t { done, wait_readable, wait_writable, closed };
  Kind kind = Kind::done;
  size_t bytes = 0;  // of done
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual IoOutcome read(std::span<char> buffer) = 0;
  virtual IoOutcome write(std::string_view bytes) = 0;
  // Says goodbye, as far as that is possible without waiting.
  virtual void close() {}
};

// Neither owns the socket, which must be non-blocking.
std::unique_ptr<Transport> plain_transport(int socket);

class TlsContext {
 public:
  // PEM files: the certificate with its chain, and its key. TLS 1.2 and 1.3. Throws Error: not_found, invalid_data.
  TlsContext(const std::filesystem::path& certificate, const std::filesystem::path& key);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  std::unique_ptr<Transport> transport(int socket) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sensorium::server
