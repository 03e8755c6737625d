#include "media/resize_kernels.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sensorium::media::detail {
namespace {

constexpr uint32_t kHalf = uint32_t{1} << (kPrecisionBits - 1);

uint8_t clip(uint32_t sum) {
  return static_cast<uint8_t>(std::clamp(static_cast<int32_t>(sum) >> kPrecisionBits, 0, 255));
}

template <int kChannels>
void horizontal_row(const uint8_t* row, uint8_t* out, const ResizeTaps& taps) {
  for (size_t x = 0; x < taps.first.size(); ++x) {
    const uint8_t* source = row + static_cast<size_t>(taps.first[x]) * kChannels;
    const int32_t* weights = taps.weights.data() + x * static_cast<size_t>(taps.stride);
    uint32_t sums[kChannels];
    std::fill_n(sums, kChannels, kHalf);
    for (int t = 0; t < taps.count[x]; ++t) {
      for (int c = 0; c < kChannels; ++c) sums[c] += source[t * kChannels + c] * static_cast<uint32_t>(weights[t]);
    }
    for (int c = 0; c < kChannels; ++c) out[x * kChannels + static_cast<size_t>(c)] = clip(sums[c]);
  }
}

void horizontal_scalar(const uint8_t* const rows[kRowGroup], uint8_t* const out[kRowGroup], int channels,
                       const ResizeTaps& taps) {
  for (int r = 0; r < kRowGroup; ++r) {
    channels == 3 ? horizontal_row<3>(rows[r], out[r], taps) : horizontal_row<1>(rows[r], out[r], taps);
  }
}

void vertical_scalar(const uint8_t* rows, size_t stride, int count, const int32_t* weights, const int16_t*,
                     const int16_t*, uint8_t* out, size_t samples) {
  constexpr size_t kBlock = 64;
  for (size_t start = 0; start < samples; start += kBlock) {
    const size_t width = std::min(kBlock, samples - start);
    uint32_t sums[kBlock];
    std::fill_n(sums, kBlock, kHalf);
    for (int t = 0; t < count; ++t) {
      const uint8_t* row = rows + static_cast<size_t>(t) * stride + start;
      const uint32_t weight = static_cast<uint32_t>(weights[t]);
      for (size_t i = 0; i < width; ++i) sums[i] += row[i] * weight;
    }
    for (size_t i = 0; i < width; ++i) out[start + i] = clip(sums[i]);
  }
}

#if defined(__x86_64__)
#define SENSORIUM_AVX2 __attribute__((target("avx2")))

// 16 bytes to both halves; `shuffle` then picks what each half needs.
SENSORIUM_AVX2 inline __m256i load_twice(const void* source) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(source)));
}

SENSORIUM_AVX2 inline __m128i join_halves(__m256i high, __m256i low) {
  const __m256i sums = _mm256_add_epi32(_mm256_slli_epi32(high, kSplitBits), low);
  return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

// 4 sums to 4 bytes. The saturating packs are the clip to 0..255.
SENSORIUM_AVX2 inline uint32_t to_bytes(__m128i sums) {
  const __m128i rounded = _mm_srai_epi32(_mm_add_epi32(sums, _mm_set1_epi32(kHalf)), kPrecisionBits);
  const __m128i words = _mm_packs_epi32(rounded, rounded);
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
}

SENSORIUM_AVX2 void horizontal_rgb_avx2(const uint8_t* const rows[kRowGroup], uint8_t* const out[kRowGroup],
                                        const ResizeTaps& taps) {
  // Four pixels (12 bytes) become two vectors of sample pairs, each sample widened to 16 bits:
  // low half r0 r1 g0 g1 b0 b1 0 0, high half r2 r3 g2 g3 b2 b3 0 0; the weights follow suit.
  const __m256i pixel_pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                               6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m256i weight_pairs = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,  //
                                                4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  const size_t outputs = taps.first.size();
  for (size_t x = 0; x < outputs; ++x) {
    const size_t start = static_cast<size_t>(taps.first[x]) * 3;
    const int16_t* high = taps.high.data() + x * static_cast<size_t>(taps.stride);
    const int16_t* low = taps.low.data() + x * static_cast<size_t>(taps.stride);
    __m256i sum_high[kRowGroup], sum_low[kRowGroup];
    for (int r = 0; r < kRowGroup; ++r) sum_high[r] = sum_low[r] = _mm256_setzero_si256();
    for (int t = 0; t < taps.count[x]; t += 4) {
      int64_t high4, low4;
      std::memcpy(&high4, high + t, sizeof(high4));
      std::memcpy(&low4, low + t, sizeof(low4));
      const __m256i weight_high = _mm256_shuffle_epi8(_mm256_set1_epi64x(high4), weight_pairs);
      const __m256i weight_low = _mm256_shuffle_epi8(_mm256_set1_epi64x(low4), weight_pairs);
      for (int r = 0; r < kRowGroup; ++r) {
        const __m256i pixels = _mm256_shuffle_epi8(load_twice(rows[r] + start + t * 3), pixel_pairs);
        sum_high[r] = _mm256_add_epi32(sum_high[r], _mm256_madd_epi16(pixels, weight_high));
        sum_low[r] = _mm256_add_epi32(sum_low[r], _mm256_madd_epi16(pixels, weight_low));
      }
    }
    for (int r = 0; r < kRowGroup; ++r) {
      const uint32_t bytes = to_bytes(join_halves(sum_high[r], sum_low[r]));
      std::memcpy(out[r] + x * 3, &bytes, 3);
    }
  }
}

SENSORIUM_AVX2 void horizontal_grey_avx2(const uint8_t* const rows[kRowGroup], uint8_t* const out[kRowGroup],
                                         const ResizeTaps& taps) {
  for (size_t x = 0; x < taps.first.size(); ++x) {
    const size_t start = static_cast<size_t>(taps.first[x]);
    const int16_t* high = taps.high.data() + x * static_cast<size_t>(taps.stride);
    const int16_t* low = taps.low.data() + x * static_cast<size_t>(taps.stride);
    __m128i sum_high[kRowGroup], sum_low[kRowGroup];
    for (int r = 0; r < kRowGroup; ++r) sum_high[r] = sum_low[r] = _mm_setzero_si128();
    for (int t = 0; t < taps.count[x]; t += 8) {
      const __m128i weight_high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(high + t));
      const __m128i weight_low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low + t));
      for (int r = 0; r < kRowGroup; ++r) {
        const __m128i pixels =
            _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(rows[r] + start + t)));
        sum_high[r] = _mm_add_epi32(sum_high[r], _mm_madd_epi16(pixels, weight_high));
        sum_low[r] = _mm_add_epi32(sum_low[r], _mm_madd_epi16(pixels, weight_low));
      }
    }
    for (int r = 0; r < kRowGroup; ++r) {
      __m128i sums = _mm_add_epi32(_mm_slli_epi32(sum_high[r], kSplitBits), sum_low[r]);
      sums = _mm_hadd_epi32(sums, sums);
      out[r][x] = static_cast<uint8_t>(to_bytes(_mm_hadd_epi32(sums, sums)));
    }
  }
}

SENSORIUM_AVX2 void horizontal_avx2(const uint8_t* const rows[kRowGroup], uint8_t* const out[kRowGroup], int channels,
                                    const ResizeTaps& taps) {
  channels == 3 ? horizontal_rgb_avx2(rows, out, taps) : horizontal_grey_avx2(rows, out, taps);
}

// 16 samples of `count` rows, two rows at a time.
SENSORIUM_AVX2 inline void vertical_block(const uint8_t* rows, size_t stride, int count, const int16_t* high,
                                          const int16_t* low, uint8_t* out) {
  __m256i high0 = _mm256_setzero_si256(), high1 = high0, low0 = high0, low1 = high0;
  for (int t = 0; t < count; t += 2) {
    const uint8_t* row = rows + static_cast<size_t>(t) * stride;
    const bool has_pair = t + 1 < count;
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row));
    const __m128i b = has_pair ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + stride)) : a;
    const __m256i pairs0 = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
    const __m256i pairs1 = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
    int32_t pair_high, pair_low;  // the tables are padded with zeros, so the missing partner weighs nothing
    std::memcpy(&pair_high, high + t, sizeof(pair_high));
    std::memcpy(&pair_low, low + t, sizeof(pair_low));
    const __m256i weight_high = _mm256_set1_epi32(pair_high), weight_low = _mm256_set1_epi32(pair_low);
    high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(pairs0, weight_high));
    high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(pairs1, weight_high));
    low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(pairs0, weight_low));
    low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(pairs1, weight_low));
  }
  const __m256i half = _mm256_set1_epi32(kHalf);
  const __m256i sums0 = _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high0, kSplitBits), low0), half);
  const __m256i sums1 = _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high1, kSplitBits), low1), half);
  const __m256i words = _mm256_permute4x64_epi64(
      _mm256_packs_epi32(_mm256_srai_epi32(sums0, kPrecisionBits), _mm256_srai_epi32(sums1, kPrecisionBits)), 0xD8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
}

SENSORIUM_AVX2 void vertical_avx2(const uint8_t* rows, size_t stride, int count, const int32_t* weights,
                                  const int16_t* high, const int16_t* low, uint8_t* out, size_t samples) {
  if (samples < 16) return vertical_scalar(rows, stride, count, weights, high, low, out, samples);
  for (size_t i = 0; i + 16 <= samples; i += 16) vertical_block(rows + i, stride, count, high, low, out + i);
  // The last block overlaps the one before it.
  if (samples % 16 != 0) {
    const size_t i = samples - 16;
    vertical_block(rows + i, stride, count, high, low, out + i);
  }
}
#endif

constexpr ResizeKernels kScalar{horizontal_scalar, vertical_scalar};
#if defined(__x86_64__)
constexpr ResizeKernels kAvx2{horizontal_avx2, vertical_avx2};
#endif

}  // namespace

const ResizeKernels& scalar_resize_kernels() { return kScalar; }

const ResizeKernels& best_resize_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return kAvx2;
#endif
  return kScalar;
}

}  // namespace sensorium::media::detail
