#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/memory.h"

namespace sensorium {
namespace {

constexpr int kMaxThreads = 256;
// How long a thread spins for its next job before it sleeps: longer than the serial work between two kernels of a layer,
// shorter than the time slice that it would take from another process. By the clock, as `pause` takes from 5 to 150 cycles.
constexpr std::chrono::microseconds kSpinTime{50};
constexpr int kPausesPerLook = 16;

void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `done` or until kSpinTime is over; says whether it is done.
template <typename Done>
bool spin_until(Done&& done) {
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      cpu_relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// Whole processors' worth of time that the control group grants ("max 100000" or "200000 100000": quota and period in
// microseconds); `most` without a limit.
int granted_by_control_group(int most) {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return most;
  return std::clamp(static_cast<int>(std::lround(quota / period)), 1, most);
}

int default_thread_count() {
  if (const char* text = std::getenv("SENSORIUM_THREADS"); text != nullptr && *text != '\0') {
    const std::string_view value(text);
    int count = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
    require(error == std::errc() && end == value.data() + value.size() && count >= 1 && count <= kMaxThreads,
            ErrorKind::usage, "SENSORIUM_THREADS is \"{}\", expected a number from 1 to {}", value, kMaxThreads);
    return count;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return granted_by_control_group(std::clamp(CPU_COUNT(&set), 1, kMaxThreads));
}

thread_local bool in_parallel_region = false;

// One job at a time. A worker takes part in it only if it comes while chunks are left: the caller closes the job when it
// finds none and then waits for the workers inside. A worker that sleeps, or that another process keeps off its core, holds
// nobody up. `state_` says which job, whether it is closed and how many workers are inside.
class ThreadPool {
 public:
  static ThreadPool& instance() {
    // Never destroyed: workers may outlive static destruction in a process that exits early.
    static ThreadPool* pool = new ThreadPool();
    return *pool;
  }

  int count() const { return count_.load(std::memory_order_relaxed); }

  void resize(int count) {
    std::lock_guard submit(submit_mutex_);
    stop_workers();
    count_ = count;
  }

  void run(int64_t total, int64_t grain, detail::RangeFn fn, void* context) {
    if (total <= 0) return;
    grain = std::max<int64_t>(grain, 1);
    const bool single = total <= grain || count() == 1 || in_parallel_region;
    if (single) {
      for (int64_t begin = 0; begin < total; begin += grain) fn(context, begin, std::min(begin + grain, total), 0);
      return;
    }
    std::lock_guard submit(submit_mutex_);
    start_workers();
    total_ = total;
    grain_ = grain;
    fn_ = fn;
    context_ = context;
    error_ = nullptr;
    next_.store(0, std::memory_order_relaxed);
    open_job();
    work(0);
    state_.fetch_or(kClosed, std::memory_order_acq_rel);
    const auto alone = [&] { return (state_.load(std::memory_order_acquire) & kInside) == 0; };
    if (!spin_until(alone)) {
      std::unique_lock lock(sleep_mutex_);
      done_.wait(lock, alone);
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  // The parts of state_: workers inside, closed, the job's number.
  static constexpr uint64_t kInside = 0xFFFF, kClosed = 0x10000, kOneJob = 0x20000;
  static uint64_t job_of(uint64_t state) { return state / kOneJob; }

  ThreadPool() : count_(default_thread_count()) {}

  void open_job() {
    state_.store((job_of(state_.load(std::memory_order_relaxed)) + 1) * kOneJob, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard lock(sleep_mutex_);
      wake_.notify_all();
    }
  }

  void start_workers() {
    const int wanted = count() - 1;
    while (static_cast<int>(workers_.size()) < wanted) {
      const int id = static_cast<int>(workers_.size()) + 1;
      const uint64_t seen = job_of(state_.load());
      workers_.push_back(std::make_unique<std::thread>([this, id, seen] { worker_loop(id, seen); }));
    }
  }

  void stop_workers() {
    if (workers_.empty()) return;
    stopping_ = true;
    open_job();
    for (auto& worker : workers_) worker->join();
    workers_.clear();
    stopping_ = false;
    state_.fetch_or(kClosed);
  }

  void worker_loop(int id, uint64_t seen) {
    for (;;) {
      const auto called = [&] { return job_of(state_.load(std::memory_order_seq_cst)) != seen; };
      if (!spin_until(called)) {
        std::unique_lock lock(sleep_mutex_);
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        wake_.wait(lock, called);
        sleepers_.fetch_sub(1, std::memory_order_seq_cst);
      }
      if (stopping_) return;
      uint64_t state = state_.load(std::memory_order_acquire);
      seen = job_of(state);
      if (!enter(state)) continue;
      work(id);
      const uint64_t left = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
      if ((left & kClosed) != 0 && (left & kInside) == 0) {
        std::lock_guard lock(sleep_mutex_);
        done_.notify_one();
      }
    }
  }

  // Takes part in the job of `state`; false if it has been closed by now.
  bool enter(uint64_t state) {
    const uint64_t job = job_of(state);
    while ((state & kClosed) == 0 && job_of(state) == job) {
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        return true;
    }
    return false;
  }

  void work(int thread) {
    in_parallel_region = true;
    try {
      for (;;) {
        const int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
        if (begin >= total_) break;
        fn_(context_, begin, std::min(begin + grain_, total_), thread);
      }
    } catch (...) {
      std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      next_.store(total_, std::memory_order_relaxed);
    }
    in_parallel_region = false;
  }

  std::atomic<int> count_;
  std::mutex submit_mutex_;
  std::vector<std::unique_ptr<std::thread>> workers_;
  std::atomic<uint64_t> state_{kClosed};
  std::atomic<int64_t> next_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  std::mutex sleep_mutex_;
  std::condition_variable wake_, done_;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  int64_t total_ = 0, grain_ = 1;
  detail::RangeFn fn_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace

SerialRegion::SerialRegion() : outer_(std::exchange(in_parallel_region, true)) {}
SerialRegion::~SerialRegion() { in_parallel_region = outer_; }

int thread_count() { return ThreadPool::instance().count(); }

void set_thread_count(int count) {
  require(count >= 1 && count <= kMaxThreads, ErrorKind::usage, "thread count {} is outside 1..{}", count, kMaxThreads);
  ThreadPool::instance().resize(count);
}

void detail::parallel_for_impl(int64_t count, int64_t grain, RangeFn fn, void* context) {
  ThreadPool::instance().run(count, grain, fn, context);
}

void* thread_scratch(size_t bytes, int slot) {
  struct Buffer {
    void* memory = nullptr;
    size_t capacity = 0;
    ~Buffer() { free_block(memory, capacity); }
  };
  thread_local std::array<Buffer, 8> buffers;
  Buffer& buffer = buffers.at(static_cast<size_t>(slot));
  if (buffer.capacity < bytes) {
    const size_t capacity = (bytes + 4095) / 4096 * 4096;
    free_block(buffer.memory, buffer.capacity);
    buffer.capacity = 0;
    buffer.memory = allocate_block(capacity);
    if (buffer.memory == nullptr) throw std::bad_alloc();
    buffer.capacity = capacity;
  }
  return buffer.memory;
}

}  // namespace sensorium
