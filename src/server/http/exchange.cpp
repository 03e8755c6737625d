#include "server/http/exchange.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <utility>

#include "base/error.h"

namespace sensorium::server {

Waker::Waker() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  require(event_.get() >= 0, ErrorKind::io, "the system gives no event descriptor");
}

void Waker::wake(uint64_t connection) {
  const std::lock_guard lock(mutex_);
  ready_.push_back(connection);
  if (std::exchange(signalled_, true)) return;
  const uint64_t one = 1;
  // It cannot fail for want of room: the counter is emptied before the next signal.
  (void)!::write(event_.get(), &one, sizeof one);
}

void Waker::wake() { wake(0); }

std::vector<uint64_t> Waker::take() {
  const std::lock_guard lock(mutex_);
  uint64_t count = 0;
  (void)!::read(event_.get(), &count, sizeof count);
  signalled_ = false;
  return std::exchange(ready_, {});
}

bool Channel::push(std::string_view bytes, bool last) {
  // The loop hears of the end also where nobody reads it: the connection is closed then.
  if (gone() && !last) return false;
  {
    const std::lock_guard lock(mutex_);
    if (!gone()) pending_ += bytes;
    last_ = last_ || last;
    if (pending_.size() + unsent_.load(std::memory_order_relaxed) > kMostPending && !last) set_gone();
  }
  waker_->wake(connection_);
  return !gone();
}

Channel::Taken Channel::take() {
  const std::lock_guard lock(mutex_);
  return {std::exchange(pending_, {}), last_};
}

Exchange::Exchange(std::shared_ptr<Channel> channel, Request request, Headers common_headers)
    : channel_(std::move(channel)),
      request_(std::move(request)),
      common_headers_(std::move(common_headers)),
      head_only_(request_.method == "HEAD") {}

Exchange::~Exchange() {
  if (ended_) return;
  if (!started_) {
    send(plain_error(500, "the server gave the request up"));
    return;
  }
  if (gone()) {
    channel_->push({}, true);
  } else {
    // No last chunk, and the loop closes what is gone: whoever reads sees that something is missing.
    channel_->set_gone();
  }
  end();
}

void Exchange::end() {
  ended_ = true;
  if (on_end_) std::exchange(on_end_, {})(*this);
}

void Exchange::send(Response response) {
  if (started_ || ended_) return;
  started_ = true;
  status_ = response.status;
  response.headers.insert(response.headers.end(), common_headers_.begin(), common_headers_.end());
  const bool bodiless = response.status == 204 || response.status == 304;
  if (bodiless) response.content_type.clear();
  const char* connection = request_.keep_alive ? "" : "Connection: close\r\n";
  std::string bytes =
      response_head(response, bodiless ? std::string(connection)
                                       : fmt::format("Content-Length: {}\r\n{}", response.body.size(), connection));
  if (!head_only_ && !bodiless) bytes += response.body;
  channel_->push(bytes, true);
  end();
}

void Exchange::start(Response response) {
  if (started_ || ended_) return;
  started_ = true;
  status_ = response.status;
  response.headers.insert(response.headers.end(), common_headers_.begin(), common_headers_.end());
  // HTTP/1.0 has no chunks: the connection's end is the body's.
  std::string framing = request_.minor_version == 0 ? "" : "Transfer-Encoding: chunked\r\n";
  if (!request_.keep_alive) framing += "Connection: close\r\n";
  channel_->push(response_head(response, framing), false);
  write(response.body);
}

void Exchange::write(std::string_view bytes) {
  if (bytes.empty() || ended_ || head_only_) return;
  if (request_.minor_version == 0) {
    channel_->push(bytes, false);
    return;
  }
  std::string chunk = fmt::format("{:x}\r\n", bytes.size());
  (chunk += bytes) += "\r\n";
  channel_->push(chunk, false);
}

void Exchange::finish() {
  if (ended_) return;
  channel_->push(request_.minor_version == 0 || head_only_ ? "" : "0\r\n\r\n", true);
  end();
}

}  // namespace sensorium::server
