// Preparing the next items on a background thread while the current one is used.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include "base/threads.h"

namespace sensorium::data {

// next() gives make(0), make(1), ... in order; up to `depth` (at least 1) of them are made ahead on one thread of its
// own, which leaves the pool of base/threads.h alone. An exception of make() is rethrown by the next() whose item it
// was. The destructor waits for the item in progress and drops the rest.
template <typename T>
class Prefetcher {
 public:
  Prefetcher(std::function<T(int64_t index)> make, size_t depth)
      : make_(std::move(make)), depth_(std::max<size_t>(depth, 1)), thread_([this] { run(); }) {}
  ~Prefetcher() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  T next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty(); });
    std::variant<T, std::exception_ptr> item = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    if (item.index() == 1) std::rethrow_exception(std::get<1>(item));
    return std::get<0>(std::move(item));
  }

 private:
  void run() {
    const SerialRegion serial;
    for (int64_t index = 0;; ++index) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || ready_.size() < depth_; });
        if (stopping_) return;
      }
      std::variant<T, std::exception_ptr> item(std::in_place_index<1>, nullptr);
      try {
        item.template emplace<0>(make_(index));
      } catch (...) {
        item.template emplace<1>(std::current_exception());
      }
      {
        std::lock_guard lock(mutex_);
        ready_.push_back(std::move(item));
      }
      changed_.notify_all();
    }
  }

  std::function<T(int64_t)> make_;
  size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::variant<T, std::exception_ptr>> ready_;
  bool stopping_ = false;
  std::thread thread_;
};

// Items by number: at(i) gives make(i), made ahead as long as each number is the one after the last; any other starts anew there.
template <typename T>
class PrefetchedSequence {
 public:
  PrefetchedSequence(std::function<T(int64_t index)> make, size_t depth) : make_(std::move(make)), depth_(depth) {}

  T at(int64_t index) {
    if (index != next_) {
      prefetcher_.reset();  // what it makes ahead is made by one thread at a time
      prefetcher_ = std::make_unique<Prefetcher<T>>([this, index](int64_t i) { return make_(index + i); }, depth_);
    }
    next_ = index + 1;
    return prefetcher_->next();
  }

 private:
  std::function<T(int64_t)> make_;
  size_t depth_;
  int64_t next_ = -1;
  std::unique_ptr<Prefetcher<T>> prefetcher_;  // ends before what it reads
};

}  // namespace sensorium::data
