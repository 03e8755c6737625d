// What a connection goes through: a request is read, its answer is written, and it is closed or waits for the next.
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "server/http/listener_loop.h"

namespace sensorium::server {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// A connection that ends in the middle of a request's body is read on for so long: closing it at once would reset it, and the
// client would never see why.
constexpr Milliseconds kLinger{2'000};
constexpr int kReadsAtOnce = 16;
constexpr size_t kBodyBytesPerMillisecond = 16;

}  // namespace

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

}  // namespace sensorium::server
