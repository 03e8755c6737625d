// Timing for the benches of kernels: medians, and the machine's own peak measured in the same minute, since other programs
// take their share of a machine from one minute to the next.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "base/threads.h"
#include "tensor/dtype.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sensorium::bench {

// With one thread its own CPU time is taken, which other programs disturb less than the time on the wall.
inline double now_seconds() {
  timespec time{};
  clock_gettime(thread_count() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
inline double seconds_of(const auto& run) {
  const double start = now_seconds();
  run();
  return now_seconds() - start;
}

struct Times {
  double median, p10, p90;  // seconds
};
inline Times summary(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double q) { return times[static_cast<size_t>(q * static_cast<double>(times.size() - 1) + 0.5)]; };
  return {at(0.5), at(0.1), at(0.9)};
}

#if defined(__x86_64__)
// FLOPs of one call: `steps` x 12 independent products.
__attribute__((target("avx512f,avx512bf16"))) inline float multiply_bf16(int64_t steps) {
  __m512 sums[12];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3F803F80);
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) sums[j] = _mm512_dpbf16_ps(sums[j], a, a);
  }
  __m512 total = sums[0];
  for (int j = 1; j < 12; ++j) total = _mm512_add_ps(total, sums[j]);
  return _mm512_reduce_add_ps(total);
}
__attribute__((target("avx512f"))) inline float multiply_f32(int64_t steps) {
  __m512 sums[12];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  __m512 a = _mm512_set1_ps(1.0f);
  for (int64_t i = 0; i < steps; ++i) {
    // Opaque to the compiler, which would fold the loop.
    asm volatile("" : "+v"(a));
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) sums[j] = _mm512_fmadd_ps(a, a, sums[j]);
  }
  __m512 total = sums[0];
  for (int j = 1; j < 12; ++j) total = _mm512_add_ps(total, sums[j]);
  return _mm512_reduce_add_ps(total);
}
#endif

// FLOP/s of all threads with nothing but products in registers; 0 where the machine has no such instruction.
inline double peak(DType compute) {
#if defined(__x86_64__)
  const bool pairs = compute == DType::bf16;
  if (!__builtin_cpu_supports("avx512f") || (pairs && !__builtin_cpu_supports("avx512bf16"))) return 0;
  constexpr int64_t kSteps = 200000;
  volatile float sink = 0;
  const int threads = thread_count();
  const double seconds = seconds_of([&] {
    parallel_for(threads, 1,
                 [&](int64_t, int64_t, int) { sink = pairs ? multiply_bf16(kSteps) : multiply_f32(kSteps); });
  });
  return static_cast<double>(kSteps) * 12 * 16 * (pairs ? 4 : 2) * threads / seconds;
#else
  return 0;
#endif
}

// Runs the candidates in turn until `budget` seconds are over, with the peak measured between rounds, and prints a line for
// each: median and spread, GFLOP/s, fraction of the peak.
struct Candidate {
  std::string name;
  double flops;  // of one run
  std::function<void()> run;
};
inline void compare(const std::string& title, DType compute, const std::vector<Candidate>& candidates,
                    double budget = 2.0) {
  std::vector<std::vector<double>> times(candidates.size());
  std::vector<double> peaks;
  for (const Candidate& candidate : candidates) candidate.run();
  double spent = 0;
  for (int round = 0; round < 5 || spent < budget; ++round) {
    peaks.push_back(peak(compute));
    for (size_t i = 0; i < candidates.size(); ++i) {
      times[i].push_back(seconds_of(candidates[i].run));
      spent += times[i].back();
    }
  }
  const double ceiling = summary(peaks).median;
  fmt::print("{} ({}, {} threads, peak {:.0f} GFLOP/s)\n", title, name_of(compute), thread_count(), ceiling * 1e-9);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Times t = summary(times[i]);
    const double rate = candidates[i].flops / t.median;
    fmt::print("  {:<28} {:9.3f} ms (p10 {:.3f}, p90 {:.3f})  {:7.1f} GFLOP/s", candidates[i].name, t.median * 1e3,
               t.p10 * 1e3, t.p90 * 1e3, rate * 1e-9);
    if (ceiling > 0)
      fmt::print("  {:4.1f} % of peak (best {:4.1f} %)", 100 * rate / ceiling,
                 100 * candidates[i].flops / t.p10 / summary(peaks).p90);
    fmt::print("\n");
  }
}

}  // namespace sensorium::bench
