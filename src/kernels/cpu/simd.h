// Vectors of f32 for the memory-bound kernels, on the vector extensions that GCC and Clang share: one source for every
// instruction set. Loads widen 16-bit floats, stores round them to nearest even; arithmetic is f32.
#pragma once

#include "kernels/cpu/isa.h"

#define SENSORIUM_VECTOR inline __attribute__((always_inline))

SENSORIUM_ISA_BEGIN
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Floats __attribute__((vector_size(kLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef uint16_t Shorts __attribute__((vector_size(kLanes * 2)));

SENSORIUM_VECTOR Floats broadcast(float x) { return x - Floats{}; }
// The second argument where either is NaN. On AVX-512 the instructions, because selections through mask registers are slow.
#if defined(__AVX512F__)
SENSORIUM_VECTOR Floats maximum(Floats a, Floats b) { return (Floats)_mm512_max_ps((__m512)a, (__m512)b); }
SENSORIUM_VECTOR Floats minimum(Floats a, Floats b) { return (Floats)_mm512_min_ps((__m512)a, (__m512)b); }
#else
SENSORIUM_VECTOR Floats maximum(Floats a, Floats b) { return a > b ? a : b; }
SENSORIUM_VECTOR Floats minimum(Floats a, Floats b) { return a < b ? a : b; }
#endif

SENSORIUM_VECTOR Shorts load_shorts(const void* p) {
  Shorts v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
SENSORIUM_VECTOR Words widen(Shorts v) {
#if defined(__AVX512F__)
  return (Words)_mm512_cvtepu16_epi32((__m256i)v);
#else
  return __builtin_convertvector(v, Words);
#endif
}
SENSORIUM_VECTOR Shorts narrow(Words v) {
#if defined(__AVX512F__)
  return (Shorts)_mm512_cvtepi32_epi16((__m512i)v);
#else
  return __builtin_convertvector(v, Shorts);
#endif
}
SENSORIUM_VECTOR Floats widen_brain(Shorts v) { return (Floats)(widen(v) << 16); }
SENSORIUM_VECTOR Shorts round_brain_exactly(Floats v) {
  const Words raw = (Words)v;
  const Words rounded = (raw + 0x7FFFu + ((raw >> 16) & 1u)) >> 16;
  return narrow(v == v ? rounded : (raw >> 16) | 0x40u);
}
// With AVX-512 BF16 one instruction, twice as fast as kernels of a few operations otherwise are; it takes subnormal values
// (below 1.2e-38) for zero.
SENSORIUM_VECTOR Shorts round_brain(Floats v) {
#if defined(__AVX512BF16__)
  return (Shorts)_mm512_cvtneps_pbh((__m512)v);
#else
  return round_brain_exactly(v);
#endif
}
SENSORIUM_VECTOR Floats widen_half(Shorts v) {
#if defined(__AVX512F__)
  return (Floats)_mm512_cvtph_ps((__m256i)v);
#elif defined(__F16C__)
  return (Floats)_mm256_cvtph_ps((__m128i)v);
#else
  const Words bits = widen(v), magnitude = bits & 0x7FFFu;
  const Words normal = (magnitude << 13) + 0x38000000u, special = (magnitude << 13) | 0x7F800000u;
  const Words subnormal = (Words)(__builtin_convertvector((Ints)magnitude, Floats) * 0x1.0p-24f);
  return (Floats)((magnitude >= 0x7C00u   ? special
                   : magnitude >= 0x0400u ? normal
                                          : subnormal) |
                  (bits & 0x8000u) << 16);
#endif
}
// See f16(float) for the three ranges.
SENSORIUM_VECTOR Shorts round_half(Floats v) {
#if defined(__AVX512F__)
  return (Shorts)_mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT);
#elif defined(__F16C__)
  return (Shorts)_mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT);
#else
  const Words raw = (Words)v, magnitude = raw & 0x7FFFFFFFu;
  const Words special = magnitude > 0x7F800000u ? Words{} + 0x7E00u : Words{} + 0x7C00u;
  const Words subnormal = (Words)((Floats)magnitude + 0.5f) - 0x3F000000u;
  const Words normal = (magnitude + 0xC8000000u + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
  const Words bits = magnitude >= 0x47800000u ? special : magnitude < 0x38800000u ? subnormal : normal;
  return narrow(bits | (raw >> 16 & 0x8000u));
#endif
}

SENSORIUM_VECTOR Floats get(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
SENSORIUM_VECTOR Floats get(const Brain* p) { return widen_brain(load_shorts(p)); }
SENSORIUM_VECTOR Floats get(const Half* p) { return widen_half(load_shorts(p)); }
SENSORIUM_VECTOR void put(float* p, Floats v) { std::memcpy(p, &v, sizeof(v)); }
SENSORIUM_VECTOR void put(Brain* p, Floats v) {
  const Shorts rounded = round_brain(v);
  std::memcpy(p, &rounded, sizeof(rounded));
}
SENSORIUM_VECTOR void put(Half* p, Floats v) {
  const Shorts rounded = round_half(v);
  std::memcpy(p, &rounded, sizeof(rounded));
}

// bf16 with every subnormal value: for conversions, which promise exact rounding.
struct ExactBrain {
  uint16_t bits;
};
SENSORIUM_VECTOR void put(ExactBrain* p, Floats v) {
  const Shorts rounded = round_brain_exactly(v);
  std::memcpy(p, &rounded, sizeof(rounded));
}

// The first `count` < kLanes elements, zeros after them.
#if defined(__AVX512F__)
SENSORIUM_VECTOR __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
SENSORIUM_VECTOR Floats get(const float* p, int64_t count) {
  return (Floats)_mm512_maskz_loadu_ps(first_lanes(count), p);
}
SENSORIUM_VECTOR Shorts get_shorts(const void* p, int64_t count) {
  return (Shorts)_mm256_maskz_loadu_epi16(first_lanes(count), p);
}
SENSORIUM_VECTOR Floats get(const Brain* p, int64_t count) { return widen_brain(get_shorts(p, count)); }
SENSORIUM_VECTOR Floats get(const Half* p, int64_t count) { return widen_half(get_shorts(p, count)); }
SENSORIUM_VECTOR void put(float* p, Floats v, int64_t count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), (__m512)v);
}
SENSORIUM_VECTOR void put(Brain* p, Floats v, int64_t count) {
  _mm256_mask_storeu_epi16(p, first_lanes(count), (__m256i)round_brain(v));
}
SENSORIUM_VECTOR void put(ExactBrain* p, Floats v, int64_t count) {
  _mm256_mask_storeu_epi16(p, first_lanes(count), (__m256i)round_brain_exactly(v));
}
SENSORIUM_VECTOR void put(Half* p, Floats v, int64_t count) {
  _mm256_mask_storeu_epi16(p, first_lanes(count), (__m256i)round_half(v));
}
SENSORIUM_VECTOR Floats keep_first(Floats v, int64_t count) {
  return (Floats)_mm512_maskz_mov_ps(first_lanes(count), (__m512)v);
}
#else
template <typename T>
SENSORIUM_VECTOR Floats get(const T* p, int64_t count) {
  T part[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) part[i] = p[i];
  return get(part);
}
template <typename T>
SENSORIUM_VECTOR void put(T* p, Floats v, int64_t count) {
  T part[kLanes];
  put(part, v);
  for (int64_t i = 0; i < count; ++i) p[i] = part[i];
}
SENSORIUM_VECTOR Floats keep_first(Floats v, int64_t count) {
  float part[kLanes];
  put(part, v);
  return get(part, count);
}
#endif

SENSORIUM_VECTOR float total(Floats v) {
  float lanes[kLanes];
  put(lanes, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// y[i] = fn(x[i]...) for any element types; y may be one of the x.
template <typename Fn, typename Out, typename... In>
SENSORIUM_VECTOR void map(int64_t count, Out* y, Fn&& fn, const In*... x) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) put(y + i, fn(get(x + i)...));
  if (i < count) put(y + i, fn(get(x + i, count - i)...), count - i);
}

// The sum of fn(x[i]...) in a fixed order.
template <typename Fn, typename... In>
SENSORIUM_VECTOR float sum(int64_t count, Fn&& fn, const In*... x) {
  Floats a{}, b{}, c{}, d{};
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    a += fn(get(x + i)...);
    b += fn(get(x + i + kLanes)...);
    c += fn(get(x + i + 2 * kLanes)...);
    d += fn(get(x + i + 3 * kLanes)...);
  }
  for (; i + kLanes <= count; i += kLanes) a += fn(get(x + i)...);
  if (i < count) b += keep_first(fn(get(x + i, count - i)...), count - i);
  return total((a + b) + (c + d));
}

// sums[c] = the sum of column c of x. Four rows at a time, so that the sums are loaded and stored once for four additions.
template <typename T>
SENSORIUM_VECTOR void sum_columns(const T* x, int64_t rows, int64_t stride, int64_t cols, float* sums) {
  map(cols, sums, [] { return Floats{}; });
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T* row = x + r * stride;
    map(
        cols, sums, [](Floats s, Floats a, Floats b, Floats c, Floats d) { return s + ((a + b) + (c + d)); }, sums, row,
        row + stride, row + 2 * stride, row + 3 * stride);
  }
  for (; r < rows; ++r) {
    map(
        cols, sums, [](Floats s, Floats a) { return s + a; }, sums, x + r * stride);
  }
}

// f(pointer of the element type): f32, bf16 or f16.
template <typename Fn>
inline void with_any_type(DType dtype, Fn&& fn) {
  if (dtype == DType::f16) {
    fn(static_cast<Half*>(nullptr));
  } else {
    with_type(dtype, fn);
  }
}

}  // namespace
SENSORIUM_ISA_END
