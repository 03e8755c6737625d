// The three kinds of products, with one interface. A word is 32 bits of one operand: kGroup consecutive values along k,
// which one multiply-add of a lane consumes. Everything that follows (packing, micro-kernels, vectors) is written on
// words. kNative is the type of A whose memory holds such words as it is (if kInPlace).
#pragma once

#include "kernels/cpu/simd.h"

SENSORIUM_ISA_BEGIN
namespace {

SENSORIUM_VECTOR Words splat(uint32_t word) { return word - Words{}; }
SENSORIUM_VECTOR Words load_vector(const void* p) {
  Words v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
SENSORIUM_VECTOR void store_vector(void* p, Words v) { std::memcpy(p, &v, sizeof(v)); }
SENSORIUM_VECTOR void store_words(uint32_t* p, Words v, int64_t count) {
#if defined(__AVX512F__)
  if (count >= kLanes) {
    store_vector(p, v);
  } else {
    _mm512_mask_storeu_epi32(p, first_lanes(count), (__m512i)v);
  }
#else
  uint32_t words[kLanes];
  store_vector(words, v);
  for (int64_t i = 0; i < count && i < kLanes; ++i) p[i] = words[i];
#endif
}

SENSORIUM_VECTOR Floats multiply_add(Floats c, Floats a, Floats b) {
#if defined(__AVX512F__)
  return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return c + a * b;
#endif
}

// f32 sums of f32 products. With kRound, operands are rounded to bf16 first: what bf16 products are where the processor
// has none.
template <bool kRound>
struct FloatProducts {
  using Sum = float;
  using Sums = Floats;
  static constexpr int64_t kGroup = 1;
  static constexpr DType kNative = DType::f32;
  static constexpr bool kInPlace = !kRound;

  static SENSORIUM_VECTOR Sums add_products(Sums c, Words a, Words b) { return multiply_add(c, (Floats)a, (Floats)b); }

  static SENSORIUM_VECTOR Words round(Floats v) { return (Words)(kRound ? widen_brain(round_brain(v)) : v); }
  // Words of consecutive values along k: kLanes words, or those of the first `count` values.
  template <typename T>
  static SENSORIUM_VECTOR Words along(const T* p) {
    return round(get(p));
  }
  template <typename T>
  static SENSORIUM_VECTOR Words along(const T* p, int64_t count) {
    return round(get(p, count));
  }
  // Words of the first `lanes` columns where `present` of kGroup values along k, `stride` apart, exist.
  template <typename T>
  static SENSORIUM_VECTOR Words across(const T* p, int64_t, int64_t, int64_t lanes) {
    return lanes >= kLanes ? along(p) : along(p, lanes);
  }
};
using F32Products = FloatProducts<false>;

#if defined(__AVX512BF16__)
// vdpbf16ps: f32 sums of pairs of bf16 products, denormals as zero.
struct BrainProducts {
  using Sum = float;
  using Sums = Floats;
  static constexpr int64_t kGroup = 2;
  static constexpr DType kNative = DType::bf16;
  static constexpr bool kInPlace = true;

  static SENSORIUM_VECTOR Sums add_products(Sums c, Words a, Words b) {
    return (Floats)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
  }
  template <typename T>
  static SENSORIUM_VECTOR Words along(const T* p) {
    return (Words)_mm512_cvtne2ps_pbh((__m512)get(p + kLanes), (__m512)get(p));
  }
  static SENSORIUM_VECTOR Words along(const Brain* p) { return load_vector(p); }
  template <typename T>
  static SENSORIUM_VECTOR Words along(const T* p, int64_t count) {
    const int64_t low = count < kLanes ? count : kLanes;
    const Floats first = low == kLanes ? get(p) : get(p, low);
    const Floats second = count > kLanes ? get(p + kLanes, count - kLanes) : Floats{};
    return (Words)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
  }
  static SENSORIUM_VECTOR Words along(const Brain* p, int64_t count) {
    return (Words)_mm512_maskz_loadu_epi16(static_cast<__mmask32>((uint64_t{1} << count) - 1), p);
  }
  template <typename T>
  static SENSORIUM_VECTOR Words across(const T* p, int64_t stride, int64_t present, int64_t lanes) {
    const Shorts low = lanes >= kLanes ? bits(p) : bits(p, lanes);
    const Shorts high = present < 2 ? Shorts{} : lanes >= kLanes ? bits(p + stride) : bits(p + stride, lanes);
    return __builtin_convertvector(low, Words) | __builtin_convertvector(high, Words) << 16;
  }

 private:
  // bf16 bits of kLanes elements, or of the first `count` < kLanes.
  template <typename T>
  static SENSORIUM_VECTOR Shorts bits(const T* p) {
    return (Shorts)_mm512_cvtneps_pbh((__m512)get(p));
  }
  static SENSORIUM_VECTOR Shorts bits(const Brain* p) { return load_shorts(p); }
  template <typename T>
  static SENSORIUM_VECTOR Shorts bits(const T* p, int64_t count) {
    return (Shorts)_mm512_cvtneps_pbh((__m512)get(p, count));
  }
  static SENSORIUM_VECTOR Shorts bits(const Brain* p, int64_t count) { return get_shorts(p, count); }
};
#else
using BrainProducts = FloatProducts<true>;
#endif

// i32 sums of products of u8 (a) and i8 (b): groups of four bytes with VNNI, else pairs widened to 16 bits, since the
// older byte products saturate.
struct ByteProducts {
  using Sum = int32_t;
  using Sums = Ints;
#if defined(__AVX512VNNI__)
  static constexpr int64_t kGroup = 4;
#else
  static constexpr int64_t kGroup = 2;
#endif
  static constexpr DType kNative = DType::u8;
  static constexpr bool kInPlace = kGroup == 4;

  static SENSORIUM_VECTOR Sums add_products(Sums c, Words a, Words b) {
#if defined(__AVX512VNNI__)
    return (Ints)_mm512_dpbusd_epi32((__m512i)c, (__m512i)a, (__m512i)b);
#elif defined(__AVX512BW__)
    return c + (Ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return c + (Ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    return c + ((Ints)(a << 16) >> 16) * ((Ints)(b << 16) >> 16) + ((Ints)a >> 16) * ((Ints)b >> 16);
#endif
  }
  template <typename T>
  static uint32_t word(const T* p, int64_t stride, int64_t present) {
    constexpr int kBits = 32 / kGroup;
    uint32_t result = 0;
    for (int64_t i = 0; i < kGroup && i < present; ++i) {
      const auto wide = static_cast<uint32_t>(static_cast<int32_t>(p[i * stride]));
      result |= (wide & (kBits == 8 ? 0xFFu : 0xFFFFu)) << (kBits * i);
    }
    return result;
  }
  template <typename T>
  static SENSORIUM_VECTOR Words along(const T* p) {
    if constexpr (kGroup == 4) return load_vector(p);
    return along(p, kLanes * kGroup);
  }
  template <typename T>
  static SENSORIUM_VECTOR Words along(const T* p, int64_t count) {
    uint32_t words[kLanes] = {};
    for (int64_t i = 0; i < kLanes && i * kGroup < count; ++i) words[i] = word(p + i * kGroup, 1, count - i * kGroup);
    return load_vector(words);
  }
  template <typename T>
  static SENSORIUM_VECTOR Words across(const T* p, int64_t stride, int64_t present, int64_t lanes) {
    uint32_t words[kLanes] = {};
    for (int64_t i = 0; i < kLanes && i < lanes; ++i) words[i] = word(p + i, stride, present);
    return load_vector(words);
  }
};

// fn(the kind of products of `compute`).
template <typename Fn>
void with_products(DType compute, Fn&& fn) {
  if (compute == DType::bf16) {
    fn(BrainProducts{});
  } else {
    fn(F32Products{});
  }
}

}  // namespace
SENSORIUM_ISA_END
