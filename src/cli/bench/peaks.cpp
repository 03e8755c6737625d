#include "cli/bench/peaks.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "base/threads.h"
#include "kernels/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sensorium::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kAccumulators = 16;  // enough independent chains to hide the latency of 4 cycles at 2 a cycle
constexpr size_t kReadWords = size_t{1} << 25;  // 256 MB: beyond every cache

// Each loop does `iterations` rounds of kAccumulators instructions and returns something that depends on all of them.
struct Loop {
  float (*run)(int64_t iterations);
  double operations_per_iteration;
};

template <int kWidth>
float portable_fma(int64_t iterations) {
  float sums[kWidth], a[kWidth], b[kWidth];
  for (int i = 0; i < kWidth; ++i) sums[i] = 0, a[i] = 1.0f + static_cast<float>(i), b[i] = 1e-6f;
  for (int64_t n = 0; n < iterations; ++n) {
    for (int i = 0; i < kWidth; ++i) sums[i] += a[i] * b[i];
  }
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

#if defined(__x86_64__)
#define SENSORIUM_ROUND(op) \
  op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)

__attribute__((target("avx512f"))) float avx512_fma(int64_t iterations) {
  __m512 sums[kAccumulators];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  __m512 a = _mm512_set1_ps(1.0f), b = _mm512_set1_ps(1e-6f);
  for (int64_t n = 0; n < iterations; ++n) {
#define OP(i) sums[i] = _mm512_fmadd_ps(a, b, sums[i]);
    SENSORIUM_ROUND(OP)
#undef OP
    asm volatile("" : "+v"(a), "+v"(b));
  }
  for (int i = 1; i < kAccumulators; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_reduce_add_ps(sums[0]);
}

__attribute__((target("avx512f,avx512bf16"))) float avx512_bf16(int64_t iterations) {
  __m512 sums[kAccumulators];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  __m512i raw = _mm512_set1_epi16(0x3F80);
  for (int64_t n = 0; n < iterations; ++n) {
    const __m512bh a = (__m512bh)raw;
#define OP(i) sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
    SENSORIUM_ROUND(OP)
#undef OP
    asm volatile("" : "+v"(raw));
  }
  for (int i = 1; i < kAccumulators; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_reduce_add_ps(sums[0]);
}

__attribute__((target("avx512f,avx512vnni"))) float avx512_int8(int64_t iterations) {
  __m512i sums[kAccumulators];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  __m512i a = _mm512_set1_epi8(1);
  for (int64_t n = 0; n < iterations; ++n) {
#define OP(i) sums[i] = _mm512_dpbusd_epi32(sums[i], a, a);
    SENSORIUM_ROUND(OP)
#undef OP
    asm volatile("" : "+v"(a));
  }
  for (int i = 1; i < kAccumulators; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  return static_cast<float>(_mm512_reduce_add_epi32(sums[0]));
}

// Tile products into four registers in turn, sixteen an iteration.
struct alignas(64) TileShape {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
#define SENSORIUM_FOUR_TILES(product) \
  product(0, 4, 5);                   \
  product(1, 4, 5);                   \
  product(2, 4, 5);                   \
  product(3, 4, 5);
#define SENSORIUM_TILES(product)               \
  const TileShape shape;                       \
  asm volatile("" : : "r"(&shape) : "memory"); \
  _tile_loadconfig(&shape);                    \
  const float zeros[256] = {};                 \
  _tile_loadd(4, zeros, 64);                   \
  _tile_loadd(5, zeros, 64);                   \
  for (int64_t n = 0; n < iterations; ++n) {   \
    SENSORIUM_FOUR_TILES(product)              \
    SENSORIUM_FOUR_TILES(product)              \
    SENSORIUM_FOUR_TILES(product)              \
    SENSORIUM_FOUR_TILES(product)              \
  }                                            \
  float sums[256];                             \
  _tile_stored(0, sums, 64);                   \
  _tile_release();                             \
  return sums[0];
__attribute__((target("amx-tile,amx-bf16"))) float amx_bf16(int64_t iterations) { SENSORIUM_TILES(_tile_dpbf16ps) }
__attribute__((target("amx-tile,amx-int8"))) float amx_int8(int64_t iterations) { SENSORIUM_TILES(_tile_dpbusd) }
#undef SENSORIUM_TILES
#undef SENSORIUM_FOUR_TILES
constexpr double kTileProducts = 16 * 16 * 16 * 2.0;  // of an iteration, for each value in a row of a register

__attribute__((target("avx2,fma"))) float avx2_fma(int64_t iterations) {
  __m256 sums[kAccumulators];
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  __m256 a = _mm256_set1_ps(1.0f), b = _mm256_set1_ps(1e-6f);
  for (int64_t n = 0; n < iterations; ++n) {
#define OP(i) sums[i] = _mm256_fmadd_ps(a, b, sums[i]);
    SENSORIUM_ROUND(OP)
#undef OP
    asm volatile("" : "+x"(a), "+x"(b));
  }
  for (int i = 1; i < kAccumulators; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return sums[0][0];
}
#undef SENSORIUM_ROUND
#endif

Loop f32_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {avx512_fma, kAccumulators * 16 * 2.0};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {avx2_fma, kAccumulators * 8 * 2.0};
#endif
  return {portable_fma<64>, 64 * 2.0};
}

Loop bf16_loop() {
#if defined(__x86_64__)
  if (kernels::isa_supported(kernels::Isa::avx512_amx)) return {amx_bf16, kTileProducts * 32};
  if (__builtin_cpu_supports("avx512bf16")) return {avx512_bf16, kAccumulators * 32 * 2.0};
#endif
  return f32_loop();
}

Loop int8_loop() {
#if defined(__x86_64__)
  if (kernels::isa_supported(kernels::Isa::avx512_amx)) return {amx_int8, kTileProducts * 64};
  if (__builtin_cpu_supports("avx512vnni")) return {avx512_int8, kAccumulators * 64 * 2.0};
#endif
  return f32_loop();
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One burst: operations per second over all threads, in units of 1e9.
double compute_rate(const Loop& loop) {
  constexpr int64_t kIterations = 400'000;  // 3 to 12 ms
  std::atomic<float> sink{0};
  const auto start = Clock::now();
  parallel_for(thread_count(), 1, [&](int64_t, int64_t, int) { sink = sink + loop.run(kIterations); });
  return loop.operations_per_iteration * kIterations * thread_count() / seconds_since(start) / 1e9;
}

// One burst: GB/s over all threads.
double read_rate(const std::vector<uint64_t>& memory) {
  std::atomic<uint64_t> sink{0};
  const auto start = Clock::now();
  parallel_for(static_cast<int64_t>(memory.size()), 1 << 18, [&](int64_t begin, int64_t end, int) {
    uint64_t sums[16] = {};
    for (int64_t i = begin; i < end; i += 16) {
      for (int64_t k = 0; k < 16; ++k) sums[k] += memory[static_cast<size_t>(i + k)];
    }
    uint64_t total = 0;
    for (const uint64_t sum : sums) total += sum;
    sink += total;
  });
  return static_cast<double>(memory.size()) * 8 / seconds_since(start) / 1e9;
}

}  // namespace

PeakMeter::PeakMeter() : memory_(kReadWords, 1) {}

void PeakMeter::measure(int bursts) {
  for (int i = 0; i < bursts; ++i) {
    best_.f32_gflops = std::max(best_.f32_gflops, compute_rate(f32_loop()));
    best_.bf16_gflops = std::max(best_.bf16_gflops, compute_rate(bf16_loop()));
    best_.int8_gops = std::max(best_.int8_gops, compute_rate(int8_loop()));
    best_.read_gb_s = std::max(best_.read_gb_s, read_rate(memory_));
  }
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace sensorium::cli
