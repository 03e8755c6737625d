// The listener's connections and what happens to them: shared by the files that implement it, and by nothing else.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <unordered_map>
#include <utility>

#include "server/http/listener.h"

namespace sensorium::server {

inline constexpr uint64_t kListening = 0, kWaking = 1, kFirstConnection = 2;  // what an event belongs to

struct Listener::Connection {
  using Clock = std::chrono::steady_clock;
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
  Loop(ListenerOptions options_, Handler handler_);

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

  // listener.cpp
  void accept_all();
  bool make_room();
  // listener_connections.cpp
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

}  // namespace sensorium::server
