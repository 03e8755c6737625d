// The HTTP/1.1 server: one thread, any number of connections.
//
// Why an own one: the thread per connection of cpp-httplib 0.11.4 (Debian 12's) makes a client wait for 8 s behind 16 idle
// connections and for more than 20 s behind 64, and its handlers cannot see that a client has left. Here an idle connection
// costs its socket and some hundred bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/descriptor.h"
#include "server/http/exchange.h"
#include "server/http/request_parser.h"
#include "server/http/transport.h"

namespace sensorium::server {

struct ListenerOptions {
  std::string host = "127.0.0.1";  // an address of this machine
  int port = 8080;                 // 0: the system chooses
  RequestLimits limits;
  int max_connections = 4096;
  size_t max_buffered_bytes = size_t{1} << 30;  // of all request bodies that are still coming
  // How long a client may take for a request's head from its first byte, for a body beyond what 16 KB/s need, between requests,
  // and without taking any byte of an answer.
  std::chrono::milliseconds head_timeout{10'000}, body_timeout{30'000}, idle_timeout{75'000}, send_timeout{30'000};
  std::shared_ptr<const TlsContext> tls;  // null: plain HTTP
  Headers common_headers;                 // of every answer
};

class Listener {
 public:
  // Called on the loop's thread, which it must not hold up.
  using Handler = std::function<void(std::unique_ptr<Exchange>)>;

  // Listens from now on. Throws Error: usage (the address), io (the port is taken).
  Listener(ListenerOptions options, Handler handler);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }
  // Serves until stop(), then until all answers in the making are sent or `grace` is over. `each_tick` is called about five
  // times a second.
  void run(const std::function<void()>& each_tick, std::chrono::milliseconds grace);
  // Takes no further connections; answers are still finished. From any thread.
  void stop();

  struct Statistics {
    int64_t connections = 0, accepted = 0, refused = 0;
    size_t buffered_bytes = 0;
  };
  // From any thread.
  Statistics statistics() const;

 private:
  struct Connection;
  struct Loop;
  std::unique_ptr<Loop> loop_;
  int port_ = 0;
};

}  // namespace sensorium::server
