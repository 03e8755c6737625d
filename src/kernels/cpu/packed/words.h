// Words of packed weights (kernels/packed.h), and their products with words of activations, on every instruction set.
#pragma once

#include "kernels/cpu/gemm/products.h"
#include "kernels/packed.h"

SENSORIUM_ISA_BEGIN
namespace {

// A pass of a micro-kernel takes kPairs pairs of vectors of a panel's rows. The rows of a pair's second vector stand 16 behind
// those of the first, because nibbles are packed so; bytes and bf16 follow the same order.
#if defined(__AVX512F__)
constexpr int kPairs = 2;
#else
constexpr int kPairs = 1;
#endif
constexpr int kPassVectors = 2 * kPairs;
constexpr int kPasses = kPanelRows / (kPassVectors * kLanes);

// The first of a panel's rows in vector `v` of a pass.
constexpr int64_t first_row(int pass, int v) {
  const int64_t word = (static_cast<int64_t>(pass) * kPairs + v / 2) * kLanes;
  return word / 16 * 32 + word % 16 + (v % 2) * 16;
}

struct FourBits {
  static constexpr PackedType kType = PackedType::q4;
  static constexpr int64_t kStepBytes = 128;
  static constexpr int32_t kZero = 8;
  static SENSORIUM_VECTOR void load(const std::byte* step, int pass, Words (&w)[kPassVectors]) {
#pragma GCC unroll 2
    for (int pair = 0; pair < kPairs; ++pair) {
      const Words both = load_vector(step + (pass * kPairs + pair) * kLanes * 4);
      w[2 * pair] = both & 0x0F0F0F0Fu;
      w[2 * pair + 1] = (both >> 4) & 0x0F0F0F0Fu;
    }
  }
};
struct EightBits {
  static constexpr PackedType kType = PackedType::q8;
  static constexpr int64_t kStepBytes = 256;
  static constexpr int32_t kZero = 128;
  static SENSORIUM_VECTOR void load(const std::byte* step, int pass, Words (&w)[kPassVectors]) {
#pragma GCC unroll 4
    for (int v = 0; v < kPassVectors; ++v) w[v] = load_vector(step + first_row(pass, v) * 4);
  }
};
struct Brains {
  static constexpr PackedType kType = PackedType::bf16;
  static constexpr int64_t kStepBytes = 256;
  static SENSORIUM_VECTOR void load(const std::byte* step, int pass, Words (&w)[kPassVectors]) {
    EightBits::load(step, pass, w);
  }
};

// A word of four signed bytes of an activation, ready to be multiplied with many words of unsigned weight bytes.
#if defined(__AVX512VNNI__)
struct SignedBytes {
  Words word;
  explicit SENSORIUM_VECTOR SignedBytes(uint32_t bytes) : word(splat(bytes)) {}
};
SENSORIUM_VECTOR Ints add_byte_products(Ints sums, Words weights, const SignedBytes& x) {
  return (Ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)weights, (__m512i)x.word);
}
#else
// Pairs of 16 bits, since the older byte products saturate: of the even bytes and of the odd ones.
struct SignedBytes {
  Words even, odd;
  static uint32_t wide(uint32_t bytes) {
    const auto low = static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(bytes & 0xFFu)));
    const auto high = static_cast<uint32_t>(static_cast<int32_t>(static_cast<int8_t>(bytes >> 16 & 0xFFu)));
    return (low & 0xFFFFu) | high << 16;
  }
  explicit SENSORIUM_VECTOR SignedBytes(uint32_t bytes) : even(splat(wide(bytes))), odd(splat(wide(bytes >> 8))) {}
};
SENSORIUM_VECTOR Ints add_pair_products(Ints sums, Words weights, Words x) {
#if defined(__AVX512BW__)
  return sums + (Ints)_mm512_madd_epi16((__m512i)weights, (__m512i)x);
#elif defined(__AVX2__)
  return sums + (Ints)_mm256_madd_epi16((__m256i)weights, (__m256i)x);
#else
  return sums + (Ints)(weights & 0xFFFFu) * ((Ints)(x << 16) >> 16) + (Ints)(weights >> 16) * ((Ints)x >> 16);
#endif
}
SENSORIUM_VECTOR Ints add_byte_products(Ints sums, Words weights, const SignedBytes& x) {
  return add_pair_products(add_pair_products(sums, weights & 0x00FF00FFu, x.even), (weights >> 8) & 0x00FF00FFu, x.odd);
}
#endif

// Two bf16 products a lane.
SENSORIUM_VECTOR Floats add_brain_products(Floats sums, Words weights, Words x) {
#if defined(__AVX512BF16__)
  return (Floats)_mm512_dpbf16_ps((__m512)sums, (__m512bh)x, (__m512bh)weights);
#else
  sums = multiply_add(sums, (Floats)(x << 16), (Floats)(weights << 16));
  return multiply_add(sums, (Floats)(x & 0xFFFF0000u), (Floats)(weights & 0xFFFF0000u));
#endif
}

}  // namespace
SENSORIUM_ISA_END
