#include "server/http/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "server/http/listener_loop.h"

namespace sensorium::server {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kTick{200};

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

int open_socket(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  AddressList list;
  const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list.first);
  require(code == 0, ErrorKind::usage, "cannot listen on \"{}\": {}; give an address of this machine", host,
          gai_strerror(code));
  const int socket = ::socket(list.first->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  require(socket >= 0, ErrorKind::io, "no socket: {}", std::strerror(errno));
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket, list.first->ai_addr, list.first->ai_addrlen) != 0 || ::listen(socket, 1024) != 0) {
    const int reason = errno;
    ::close(socket);
    fail(ErrorKind::io, "cannot listen on {}:{}: {}; another --port may be free", host, port, std::strerror(reason));
  }
  return socket;
}

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = address.ss_family == AF_INET6
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
                          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  return inet_ntop(address.ss_family, bytes, text.data(), text.size()) == nullptr ? "" : text.data();
}

int bound_port(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

Listener::Loop::Loop(ListenerOptions options_, Handler handler_)
    : options(std::move(options_)),
      handler(std::move(handler_)),
      listening(std::make_unique<Descriptor>(open_socket(options.host, options.port))),
      epoll(::epoll_create1(EPOLL_CLOEXEC)),
      waker(std::make_shared<Waker>()) {
  require(epoll.get() >= 0, ErrorKind::io, "no epoll: {}", std::strerror(errno));
  watch(EPOLL_CTL_ADD, listening->get(), EPOLLIN, kListening);
  watch(EPOLL_CTL_ADD, waker->descriptor(), EPOLLIN, kWaking);
}

void Listener::Loop::accept_all() {
  while (listening) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int socket =
        ::accept4(listening->get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      // Out of descriptors: connections wait until the next tick; asking again at once would only burn time.
      if (errno == EMFILE || errno == ENFILE) watch(EPOLL_CTL_MOD, listening->get(), 0, kListening);
      return;
    }
    ++accepted;
    auto connection = std::make_unique<Connection>(next_id++, socket, address_text(address), options.limits);
    if (static_cast<int>(connections.size()) >= options.max_connections && !make_room()) {
      ++refused;
      const Response busy = plain_error(503, "the server has too many connections; try again later");
      const std::string text =
          response_head(
              busy, fmt::format("Retry-After: 5\r\nConnection: close\r\nContent-Length: {}\r\n", busy.body.size())) +
          busy.body;
      if (!options.tls) (void)::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
      continue;
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->transport = options.tls ? options.tls->transport(socket) : plain_transport(socket);
    Connection& c = *connection;
    connections.emplace(c.id, std::move(connection));
    open_count = static_cast<int64_t>(connections.size());
    c.events = EPOLLIN | EPOLLRDHUP;
    watch(EPOLL_CTL_ADD, socket, c.events, c.id);
  }
}

// Closes the connection that has been idle for the longest time.
bool Listener::Loop::make_room() {
  Connection* oldest = nullptr;
  for (const auto& [id, connection] : connections) {
    const bool idle = connection->phase == Connection::Phase::reading && !connection->parser.begun();
    if (idle && (oldest == nullptr || connection->since < oldest->since)) oldest = connection.get();
  }
  if (oldest == nullptr) return false;
  close(*oldest);
  return true;
}

Listener::Listener(ListenerOptions options, Handler handler)
    : loop_(std::make_unique<Loop>(std::move(options), std::move(handler))) {
  port_ = bound_port(loop_->listening->get());
}
Listener::~Listener() {
  for (const auto& [id, connection] : loop_->connections) {
    if (connection->channel) connection->channel->set_gone();
  }
}

void Listener::stop() {
  loop_->stopping = true;
  loop_->waker->wake();
}

Listener::Statistics Listener::statistics() const {
  return {loop_->open_count, loop_->accepted, loop_->refused, loop_->buffered_seen};
}

void Listener::run(const std::function<void()>& each_tick, std::chrono::milliseconds grace) {
  Loop& loop = *loop_;
  std::array<epoll_event, 256> events{};
  Clock::time_point next_tick = Clock::now();
  std::optional<Clock::time_point> deadline;
  for (;;) {
    const auto wait = std::chrono::duration_cast<Milliseconds>(next_tick - Clock::now()).count();
    const int count = ::epoll_wait(loop.epoll.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::clamp<int64_t>(wait, 0, kTick.count())));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.u64 == kListening) {
        loop.accept_all();
      } else if (event.data.u64 == kWaking) {
        for (const uint64_t id : loop.waker->take()) {
          if (Connection* const c = loop.find(id)) loop.pump(*c);
        }
      } else {
        loop.on_events(event.data.u64, event.events);
      }
    }
    if (loop.stopping && !deadline) {
      loop.listening.reset();
      deadline = Clock::now() + grace;
    }
    if (Clock::now() >= next_tick || loop.stopping) {
      next_tick = Clock::now() + kTick;
      if (each_tick) each_tick();
      loop.look_at_clocks();
    }
    if (deadline && (loop.connections.empty() || Clock::now() >= *deadline)) return;
  }
}

}  // namespace sensorium::server
