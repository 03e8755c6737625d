#include "server/http/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/error.h"

namespace sensorium::server {
namespace {

using Kind = IoOutcome::Kind;

class PlainTransport : public Transport {
 public:
  explicit PlainTransport(int socket) : socket_(socket) {}
  IoOutcome read(std::span<char> buffer) override {
    ssize_t n;
    while ((n = ::recv(socket_, buffer.data(), buffer.size(), 0)) < 0 && errno == EINTR) {
    }
    return outcome(n, Kind::wait_readable);
  }
  IoOutcome write(std::string_view bytes) override {
    ssize_t n;
    while ((n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    return outcome(n, Kind::wait_writable);
  }

 private:
  static IoOutcome outcome(ssize_t n, Kind wait) {
    if (n > 0) return {Kind::done, static_cast<size_t>(n)};
    return {n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? wait : Kind::closed};
  }

  int socket_;
};

class TlsTransport : public Transport {
 public:
  TlsTransport(SSL_CTX* context, int socket) : ssl_(SSL_new(context)) {
    require(ssl_ != nullptr && SSL_set_fd(ssl_, socket) == 1, ErrorKind::io, "no memory for a TLS connection");
    SSL_set_accept_state(ssl_);
    SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  ~TlsTransport() override { SSL_free(ssl_); }
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;

  IoOutcome read(std::span<char> buffer) override {
    ERR_clear_error();
    return outcome(SSL_read(ssl_, buffer.data(), clamp(buffer.size())));
  }
  IoOutcome write(std::string_view bytes) override {
    ERR_clear_error();
    return outcome(SSL_write(ssl_, bytes.data(), clamp(bytes.size())));
  }
  void close() override {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  }

 private:
  static int clamp(size_t bytes) { return static_cast<int>(std::min<size_t>(bytes, std::numeric_limits<int>::max())); }
  IoOutcome outcome(int n) const {
    if (n > 0) return {Kind::done, static_cast<size_t>(n)};
    switch (SSL_get_error(ssl_, n)) {
      case SSL_ERROR_WANT_READ:
        return {Kind::wait_readable};
      case SSL_ERROR_WANT_WRITE:
        return {Kind::wait_writable};
      default:
        return {Kind::closed};
    }
  }

  SSL* ssl_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(int socket) { return std::make_unique<PlainTransport>(socket); }

struct TlsContext::State {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
};

TlsContext::TlsContext(const std::filesystem::path& certificate, const std::filesystem::path& key)
    : state_(std::make_unique<State>()) {
  SSL_CTX* context = state_->context.get();
  require(context != nullptr, ErrorKind::io, "TLS cannot be set up");
  for (const std::filesystem::path& file : {certificate, key}) {
    require(std::filesystem::is_regular_file(file), ErrorKind::not_found, "{}: no such file", file.string());
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  require(SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) == 1, ErrorKind::invalid_data,
          "{}: no certificate in PEM", certificate.string());
  require(SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_check_private_key(context) == 1,
          ErrorKind::invalid_data, "{}: no private key in PEM that belongs to {}", key.string(), certificate.string());
}

TlsContext::~TlsContext() = default;

std::unique_ptr<Transport> TlsContext::transport(int socket) const {
  return std::make_unique<TlsTransport>(state_->context.get(), socket);
}

}  // namespace sensorium::server
