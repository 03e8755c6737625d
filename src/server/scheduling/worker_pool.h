// Threads for the work before a model: parsing and decoding. Bounded, so that a flood of requests is refused and not stored.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sensorium::server {

// Thread-safe.
class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t max_waiting);
  // Finishes what waits.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `work`, which must not throw; false: too much waits already, and `work` was not taken.
  bool submit(std::function<void()>&& work);

 private:
  void loop();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sensorium::server
