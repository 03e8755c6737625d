// One request and its answer: what a handler gets. The answer may be given at any time and from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "server/http/message.h"

namespace sensorium::server {

// Tells the event loop which connections have something to send. Thread-safe.
class Waker {
 public:
  Waker();
  int descriptor() const { return event_.get(); }
  void wake(uint64_t connection);
  // Without a connection: the loop looks around.
  void wake();
  // The connections since the last call; empties the descriptor.
  std::vector<uint64_t> take();

 private:
  Descriptor event_;
  std::mutex mutex_;
  std::vector<uint64_t> ready_;
  bool signalled_ = false;
};

// The bytes of an answer on their way from a handler to the connection's socket. Thread-safe.
class Channel {
 public:
  // Of an answer that the client reads slower than it is written; beyond, the client counts as gone.
  static constexpr size_t kMostPending = size_t{8} << 20;

  Channel(std::shared_ptr<Waker> waker, uint64_t connection) : waker_(std::move(waker)), connection_(connection) {}

  // For the handler: false if nobody waits for the answer any more.
  bool push(std::string_view bytes, bool last);
  bool gone() const { return gone_.load(std::memory_order_relaxed); }

  // For the loop. The bytes that came since the last call.
  struct Taken {
    std::string bytes;
    bool last = false;
  };
  Taken take();
  void set_gone() { gone_.store(true, std::memory_order_relaxed); }
  // What the socket has not taken yet, as the loop sees it.
  void set_unsent(size_t bytes) { unsent_.store(bytes, std::memory_order_relaxed); }

 private:
  std::shared_ptr<Waker> waker_;
  const uint64_t connection_;
  std::atomic<bool> gone_{false};
  std::atomic<size_t> unsent_{0};
  std::mutex mutex_;
  std::string pending_;
  bool last_ = false;
};

// The handler's side. Either send() once, or start(), write() any number of times and finish(). An exchange that is destroyed
// before that sends status 500, or cuts a stream off so that the client sees it is incomplete. One thread at a time.
class Exchange {
 public:
  Exchange(std::shared_ptr<Channel> channel, Request request, Headers common_headers);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const Request& request() const { return request_; }
  // Frees the memory of a body that has been read.
  void drop_body() { std::string().swap(request_.body); }
  // Whether the client has left: an answer would be for nobody.
  bool gone() const { return channel_->gone(); }
  bool started() const { return started_; }
  // Of the answer, once it is known; 0 before.
  int status() const { return status_; }

  // Headers that the answer has besides its own.
  void add_headers(const Headers& headers) {
    common_headers_.insert(common_headers_.end(), headers.begin(), headers.end());
  }

  void send(Response response);
  // The status and headers of an answer whose body comes in pieces (response.body is its first).
  void start(Response response);
  void write(std::string_view bytes);
  void finish();

  // Called once, when the answer is complete or has been given up: for logs and metrics.
  void on_end(std::function<void(const Exchange&)> call) { on_end_ = std::move(call); }

 private:
  void end();

  std::shared_ptr<Channel> channel_;
  Request request_;
  Headers common_headers_;
  bool head_only_, started_ = false, ended_ = false;
  int status_ = 0;
  std::function<void(const Exchange&)> on_end_;
};

}  // namespace sensorium::server
