#include "server/http/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace sensorium::server {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr uint64_t kListening = 0, kWaking = 1, kFirstConnection = 2;  // what an event belongs to
constexpr Milliseconds kTick{200};
// A connection that ends in the middle of a request's body is read on for so long: closing it at once would reset it, and the
// client would never see why.
constexpr Milliseconds kLinger{2'000};
constexpr int kReadsAtOnce = 16;
constexpr size_t kBodyBytesPerMillisecond = 16;

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

struct Listener::Connection {
  enum class Phase : uint8_t { reading, answering, lingering };

  Connection(uint64_t id_, int socket_, std::string peer_, const RequestLimits& limits)
      : id(id_), socket(socket_), peer(std::move(peer_)), parser(limits) {}

  uint64_t id;
  Descriptor socket;
  std::string peer;
  std::unique_ptr<Transport> transport;
  RequestParser parser;
  Phase phase = Phase::reading;
  std::string unread;  // bytes behind the request that is being answered
  std::string out;     // bytes of the answer, from `sent` on to be sent
  size_t sent = 0;
  std::shared_ptr<Channel> channel;  // while answering
  bool last_taken = false;           // all of the answer is in `out`
  bool processing = false;           // process() is at it
  bool close_after = false, peer_done = false;
  bool read_wants_write = false, write_wants_read = false;  // TLS
  size_t counted_bytes = 0;                                 // of the body, in the loop's sum
  uint32_t events = 0;
  Clock::time_point since = Clock::now();     // of the phase, or of the request's first byte
  Clock::time_point body_since{};             // of the request's body
  Clock::time_point progress = Clock::now();  // the client took bytes of the answer
};

struct Listener::Loop {
  Loop(ListenerOptions options_, Handler handler_)
      : options(std::move(options_)),
        handler(std::move(handler_)),
        listening(std::make_unique<Descriptor>(open_socket(options.host, options.port))),
        epoll(::epoll_create1(EPOLL_CLOEXEC)),
        waker(std::make_shared<Waker>()) {
    require(epoll.get() >= 0, ErrorKind::io, "no epoll: {}", std::strerror(errno));
    watch(EPOLL_CTL_ADD, listening->get(), EPOLLIN, kListening);
    watch(EPOLL_CTL_ADD, waker->descriptor(), EPOLLIN, kWaking);
  }

  void watch(int what, int descriptor, uint32_t events, uint64_t id) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    epoll_ctl(epoll.get(), what, descriptor, &event);
  }

  Connection* find(uint64_t id) {
    const auto found = connections.find(id);
    return found == connections.end() ? nullptr : found->second.get();
  }

  void accept_all();
  bool make_room();
  void set_events(Connection& c) const;
  // These may close the connection: it is looked up again behind them.
  void on_events(uint64_t id, uint32_t events);
  void read_some(Connection& c);
  void process(Connection& c);
  void dispatch(Connection& c);
  void refuse(Connection& c, int status, std::string_view reason);
  void pump(Connection& c);
  void answered(Connection& c);
  void linger(Connection& c);
  void close(Connection& c);
  void look_at_clocks();

  ListenerOptions options;
  Handler handler;
  std::unique_ptr<Descriptor> listening;
  Descriptor epoll;
  std::shared_ptr<Waker> waker;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections;
  uint64_t next_id = kFirstConnection;
  size_t buffered = 0;
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> open_count{0}, accepted{0}, refused{0};
  std::atomic<size_t> buffered_seen{0};
};

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

void Listener::Loop::set_events(Connection& c) const {
  uint32_t events = c.peer_done ? 0 : uint32_t{EPOLLRDHUP};
  if (c.phase != Connection::Phase::answering || c.write_wants_read) events |= EPOLLIN;
  if ((c.sent < c.out.size() && !c.write_wants_read) || c.read_wants_write) events |= EPOLLOUT;
  if (events == c.events) return;
  c.events = events;
  watch(EPOLL_CTL_MOD, c.socket.get(), events, c.id);
}

void Listener::Loop::on_events(uint64_t id, uint32_t events) {
  Connection* c = find(id);
  if (c == nullptr) return;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    close(*c);
    return;
  }
  if ((events & EPOLLRDHUP) != 0 && c->phase == Connection::Phase::answering) {
    // The client reads no answer that takes its time: what was sent is flushed, what is being made is given up.
    c->peer_done = c->close_after = true;
    c->channel->set_gone();
  }
  if ((events & EPOLLOUT) != 0 || c->write_wants_read) pump(*c);
  c = find(id);
  if (c != nullptr && (((events & EPOLLIN) != 0 && c->phase != Connection::Phase::answering) || c->read_wants_write)) {
    read_some(*c);
  }
  c = find(id);
  if (c != nullptr) set_events(*c);
}

void Listener::Loop::read_some(Connection& c) {
  const uint64_t id = c.id;
  std::array<char, size_t{64} << 10> buffer;
  c.read_wants_write = false;
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const IoOutcome outcome = c.transport->read(buffer);
    if (outcome.kind == IoOutcome::Kind::closed) {
      close(c);
      return;
    }
    if (outcome.kind != IoOutcome::Kind::done) {
      c.read_wants_write = outcome.kind == IoOutcome::Kind::wait_writable;
      return;
    }
    if (c.phase == Connection::Phase::lingering) continue;
    c.unread.append(buffer.data(), outcome.bytes);
    process(c);
    if (find(id) == nullptr || c.phase == Connection::Phase::answering) return;
  }
}

void Listener::Loop::process(Connection& c) {
  // A request that is answered at once comes back here: the loop below goes on with the next one, however many there are.
  if (c.processing) return;
  const uint64_t id = c.id;
  c.processing = true;
  size_t used = 0;
  while (c.phase == Connection::Phase::reading && used < c.unread.size()) {
    if (!c.parser.begun()) c.since = Clock::now();
    const bool had_head = c.parser.state() != RequestParser::State::head;
    used += c.parser.feed(std::string_view(c.unread).substr(used));
    buffered += c.parser.body_bytes() - c.counted_bytes;
    c.counted_bytes = c.parser.body_bytes();
    if (c.parser.state() == RequestParser::State::failed) {
      refuse(c, c.parser.status(), c.parser.reason());
    } else if (buffered > options.max_buffered_bytes) {
      refuse(c, 503, "the server is reading as many large requests as it can; try again later");
    } else if (c.parser.state() == RequestParser::State::complete) {
      dispatch(c);
    } else if (!had_head && c.parser.state() == RequestParser::State::body) {
      c.body_since = Clock::now();
      if (c.parser.wants_continue()) c.out += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    if (find(id) == nullptr) return;
  }
  c.processing = false;
  c.unread.erase(0, std::min(used, c.unread.size()));
  if (c.phase == Connection::Phase::reading && !c.out.empty()) pump(c);
}

void Listener::Loop::dispatch(Connection& c) {
  const uint64_t id = c.id;
  Request request = c.parser.take();
  request.peer = c.peer;
  if (stopping || request.minor_version == 0) request.keep_alive = false;
  if (!request.keep_alive) c.close_after = true;
  c.phase = Connection::Phase::answering;
  c.last_taken = false;
  c.progress = Clock::now();
  c.channel = std::make_shared<Channel>(waker, c.id);
  handler(std::make_unique<Exchange>(c.channel, std::move(request), options.common_headers));
  if (Connection* const same = find(id)) pump(*same);
}

void Listener::Loop::refuse(Connection& c, int status, std::string_view reason) {
  c.phase = Connection::Phase::answering;
  c.progress = Clock::now();
  c.close_after = true;
  c.channel = std::make_shared<Channel>(waker, c.id);
  const bool later = status == 503;
  Response response = plain_error(status, reason);
  if (later) response.headers.emplace_back("Retry-After", "2");
  Request request;
  request.keep_alive = false;
  Exchange(c.channel, std::move(request), options.common_headers).send(std::move(response));
  pump(c);
}

void Listener::Loop::pump(Connection& c) {
  c.write_wants_read = false;
  if (c.channel) {
    Channel::Taken taken = c.channel->take();
    if (c.out.empty()) {
      c.out = std::move(taken.bytes);
    } else {
      c.out += taken.bytes;
    }
    c.last_taken = c.last_taken || taken.last;
  }
  while (c.sent < c.out.size()) {
    const IoOutcome outcome = c.transport->write(std::string_view(c.out).substr(c.sent));
    if (outcome.kind == IoOutcome::Kind::closed) {
      close(c);
      return;
    }
    if (outcome.kind != IoOutcome::Kind::done) {
      c.write_wants_read = outcome.kind == IoOutcome::Kind::wait_readable;
      break;
    }
    c.sent += outcome.bytes;
    c.progress = Clock::now();
  }
  if (c.sent == c.out.size()) {
    // The memory of a large answer is not kept by an idle connection.
    std::string().swap(c.out);
    c.sent = 0;
  }
  if (c.channel) c.channel->set_unsent(c.out.size() - c.sent);
  if (c.phase == Connection::Phase::answering && c.last_taken && c.out.empty()) {
    answered(c);
    return;
  }
  set_events(c);
}

void Listener::Loop::answered(Connection& c) {
  const uint64_t id = c.id;
  c.channel.reset();
  c.last_taken = false;
  buffered -= std::exchange(c.counted_bytes, 0);
  if (c.close_after || stopping) {
    linger(c);
    return;
  }
  c.phase = Connection::Phase::reading;
  c.since = Clock::now();
  if (!c.unread.empty()) process(c);
  if (Connection* const same = find(id)) set_events(*same);
}

void Listener::Loop::linger(Connection& c) {
  if (c.peer_done) {
    close(c);
    return;
  }
  c.transport->close();
  ::shutdown(c.socket.get(), SHUT_WR);
  std::string().swap(c.unread);
  c.phase = Connection::Phase::lingering;
  c.since = Clock::now();
  set_events(c);
}

void Listener::Loop::close(Connection& c) {
  if (c.channel) c.channel->set_gone();
  buffered -= c.counted_bytes;
  epoll_ctl(epoll.get(), EPOLL_CTL_DEL, c.socket.get(), nullptr);
  connections.erase(c.id);
  open_count = static_cast<int64_t>(connections.size());
}

void Listener::Loop::look_at_clocks() {
  const Clock::time_point now = Clock::now();
  std::vector<uint64_t> idle, late;
  for (const auto& [id, connection] : connections) {
    const Connection& c = *connection;
    if (c.phase == Connection::Phase::lingering) {
      if (now - c.since > kLinger) idle.push_back(id);
    } else if (c.phase == Connection::Phase::answering) {
      const bool stuck = c.sent < c.out.size() && now - c.progress > options.send_timeout;
      if (stuck || (c.channel->gone() && !c.peer_done)) idle.push_back(id);  // it reads too slowly, or not at all
    } else if (!c.parser.begun()) {
      if (now - c.since > options.idle_timeout || stopping) idle.push_back(id);
    } else if (c.parser.state() == RequestParser::State::head) {
      if (now - c.since > options.head_timeout) late.push_back(id);
    } else {
      const Milliseconds granted(c.parser.body_bytes() / kBodyBytesPerMillisecond);
      if (now - c.body_since > options.body_timeout + granted) late.push_back(id);
    }
  }
  for (const uint64_t id : idle) close(*find(id));
  for (const uint64_t id : late) {
    if (Connection* const c = find(id)) refuse(*c, 408, "the request took too long to come");
  }
  if (listening) watch(EPOLL_CTL_MOD, listening->get(), EPOLLIN, kListening);
  buffered_seen = buffered;
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
