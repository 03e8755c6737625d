// Shared by the files of this folder, which are compiled once per instruction set (CMakeLists.txt sets SENSORIUM_ISA and the
// compiler's flags). All code is in a namespace named after the set, and helpers have internal linkage: the linker must never
// choose a copy with wider instructions for code that runs everywhere.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "base/threads.h"
#include "kernels/table.h"

#define SENSORIUM_ISA_BEGIN namespace sensorium::kernels::cpu::SENSORIUM_ISA {
#define SENSORIUM_ISA_END }

SENSORIUM_ISA_BEGIN
namespace {

// 16-bit floats as raw bits, converted without branches so that loops vectorise.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

inline float load(const float* p, int64_t i) { return p[i]; }
inline float load(const Brain* p, int64_t i) { return std::bit_cast<float>(static_cast<uint32_t>(p[i].bits) << 16); }
inline float load(const Half* p, int64_t i) {
#if defined(__F16C__) && !defined(__clang__)  // clang 14 has no _Float16 without AVX-512 FP16
  return static_cast<float>(std::bit_cast<_Float16>(p[i].bits));
#else
  const uint32_t sign = static_cast<uint32_t>(p[i].bits & 0x8000u) << 16, magnitude = p[i].bits & 0x7FFFu;
  const uint32_t normal = (magnitude << 13) + 0x38000000u, special = (magnitude << 13) | 0x7F800000u;
  const float subnormal = static_cast<float>(magnitude) * 0x1.0p-24f;
  const uint32_t bits = magnitude >= 0x7C00u   ? special
                        : magnitude >= 0x0400u ? normal
                                               : std::bit_cast<uint32_t>(subnormal);
  return std::bit_cast<float>(bits | sign);
#endif
}
// Round to nearest even; NaN stays NaN.
inline uint32_t round_to_brain(float value) {
  const uint32_t raw = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (raw + 0x7FFFu + ((raw >> 16) & 1u)) >> 16;
  return (raw & 0x7FFFFFFFu) > 0x7F800000u ? (raw >> 16) | 0x40u : rounded;
}
inline void store(float* p, int64_t i, float value) { p[i] = value; }
inline void store(Brain* p, int64_t i, float value) { p[i].bits = static_cast<uint16_t>(round_to_brain(value)); }

// f(pointer of the element type): f32 or bf16.
template <typename Fn>
inline void with_type(DType dtype, Fn&& fn) {
  if (dtype == DType::f32) {
    fn(static_cast<float*>(nullptr));
  } else {
    fn(static_cast<Brain*>(nullptr));
  }
}
template <typename T>
using Pointee = std::remove_pointer_t<T>;

// Zeroed f32 sums for `blocks` blocks of `width`; one slot of the calling thread's scratch. The caller hands disjoint blocks to
// the threads and adds them up in order.
inline float* block_sums(int64_t blocks, int64_t width, int slot) {
  const size_t bytes = static_cast<size_t>(blocks * width) * sizeof(float);
  auto* sums = static_cast<float*>(thread_scratch(bytes, slot));
  std::memset(sums, 0, bytes);
  return sums;
}
inline void add_blocks(float* out, const float* sums, int64_t blocks, int64_t width) {
  if (out == nullptr) return;
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < width; ++i) out[i] += sums[b * width + i];
  }
}

}  // namespace
SENSORIUM_ISA_END
