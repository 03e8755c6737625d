// The process's one pool of worker threads. Kernels split their work here and nowhere else, so that nothing
// oversubscribes the cores.
//
// Determinism: chunks are handed out dynamically (a core that another process took does not hold up the rest), so a
// kernel's result must not depend on which thread ran a chunk nor on the chunk's size: every output element is computed
// by one chunk in a fixed order, and reductions go through partial sums over fixed blocks that are combined in order.
//
// Waiting: a worker spins for a bounded time (about 20 microseconds) for its next job and then sleeps in the kernel;
// the caller works on the chunks too and then waits, as briefly spinning, for the workers that are at a chunk, never for
// one that has not come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace sensorium {

// Number of threads that parallel_for uses, the caller included. Default: SENSORIUM_THREADS or the processors that this
// process may run on.
int thread_count();
// Changes it; not while a parallel_for runs. Throws Error(usage) outside 1..256.
void set_thread_count(int count);

namespace detail {
using RangeFn = void (*)(void* context, int64_t begin, int64_t end, int thread);
void parallel_for_impl(int64_t count, int64_t grain, RangeFn fn, void* context);
}  // namespace detail

// Calls fn(begin, end, thread) on disjoint ranges that cover [0, count), each of `grain` items (the last may be
// shorter), on thread_count() threads; `thread` is in 0..thread_count()-1 and names the scratch space to use. Returns
// when all are done. The first exception is rethrown here. A nested call runs on the calling thread alone.
template <typename Fn>
void parallel_for(int64_t count, int64_t grain, Fn&& fn) {
  using F = std::remove_reference_t<Fn>;
  detail::parallel_for_impl(
      count, grain,
      [](void* context, int64_t begin, int64_t end, int thread) { (*static_cast<F*>(context))(begin, end, thread); },
      const_cast<void*>(static_cast<const void*>(&fn)));
}

// While one lives, parallel_for on this thread runs on this thread alone. For background threads (data loading), which
// must not compete for the pool.
class SerialRegion {
 public:
  SerialRegion();
  ~SerialRegion();
  SerialRegion(const SerialRegion&) = delete;
  SerialRegion& operator=(const SerialRegion&) = delete;

 private:
  bool outer_;
};

// Scratch memory of at least `bytes`, 64-byte aligned, owned by the calling thread and kept for its next call; the
// contents are undefined. `slot` (0..7) tells apart buffers that are alive at once.
void* thread_scratch(size_t bytes, int slot);

}  // namespace sensorium
