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

// e^x, relative error below 3e-7 for |x| <= 87; 0 below that and infinity above. x = n ln 2 + r, then a polynomial of r
// (Cephes' coefficients).
inline float fast_exp(float x) {
  const float clamped = x < -87.3f ? -87.3f : x > 88.7f ? 88.7f : x;
  const float n = __builtin_rintf(clamped * 1.44269504088896341f);
  float r = clamped - n * 0.693359375f;
  r -= n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2^n in two factors, so that n = 128 does not overflow the exponent.
  const auto whole = static_cast<int32_t>(n);
  const int32_t half = whole >> 1;
  const float scale = std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((whole - half + 127) << 23);
  const float result = p * scale;
  return x < -87.3f ? 0.0f : x > 88.7f ? __builtin_inff() : x != x ? x : result;
}
inline float sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }
inline float fast_tanh(float x) { return 2.0f * sigmoid(2.0f * x) - 1.0f; }

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
