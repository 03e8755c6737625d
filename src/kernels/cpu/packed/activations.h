// Rows of activations in the form that products with packed weights take.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/cpu/gemm/micro.h"
#include "kernels/cpu/packed/words.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int kScratchRows = 0, kScratchSums = 1;  // slots

// Words of activations, row after row. Of quantised ones also the scale of each group, and what a group's integer sums start
// from: minus the weights' zero point times the sum of the group's bytes.
struct ActivationRows {
  const std::byte* words = nullptr;
  int64_t row_bytes = 0;
  const float* scales = nullptr;    // [groups][rows]
  const int32_t* starts = nullptr;  // [groups][rows]
  int64_t rows = 0;

  ActivationRows from(int64_t row) const {
    if (scales == nullptr) return {words + row * row_bytes, row_bytes, nullptr, nullptr, 0};
    return {words + row * row_bytes, row_bytes, scales + row, starts + row, rows};
  }
};

// Rounds `count` values to bytes (zeros up to a multiple of 16) and returns their sum.
template <typename T>
int32_t quantize(const T* x, int64_t count, int8_t* bytes, float& scale) {
  // Magnitudes compare as integers, and what is not finite is above all that is.
  constexpr int32_t kInfinity = 0x7F800000;
  Ints most{};
  int64_t i = 0;
  const auto look = [&](Floats v) {
    const Ints magnitude = (Ints)v & 0x7FFFFFFF;
#if defined(__AVX512F__)
    most = (Ints)_mm512_max_epi32((__m512i)most, (__m512i)magnitude);
#else
    most = magnitude > most ? magnitude : most;
#endif
  };
  for (; i + kLanes <= count; i += kLanes) look(get(x + i));
  if (i < count) look(get(x + i, count - i));
#if defined(__AVX512F__)
  const int32_t bits = _mm512_reduce_max_epi32((__m512i)most);
#else
  int32_t lanes[kLanes], bits = 0;
  std::memcpy(lanes, &most, sizeof(lanes));
  for (const int32_t lane : lanes) bits = std::max(bits, lane);
#endif
  if (bits >= kInfinity) {
    scale = std::numeric_limits<float>::quiet_NaN();
    std::memset(bytes, 0, static_cast<size_t>((count + 15) / 16 * 16));
    return 0;
  }
  const float largest = std::bit_cast<float>(bits);
  scale = largest / 127.0f;
  const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
  int32_t sum = 0;
#if defined(__AVX512F__)
  Ints sums{};
  for (i = 0; i < count; i += kLanes) {
    const Floats v = i + kLanes <= count ? get(x + i) : get(x + i, count - i);
    const __m512i q = _mm512_cvtps_epi32((__m512)(v * inverse));
    sums += (Ints)q;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + i), _mm512_cvtepi32_epi8(q));
  }
  sum = _mm512_reduce_add_epi32((__m512i)sums);
#else
  for (i = 0; i < count; ++i) {
    const auto q = static_cast<int32_t>(__builtin_rintf(load(x, i) * inverse));
    bytes[i] = static_cast<int8_t>(q);
    sum += q;
  }
  for (; i % 16 != 0; ++i) bytes[i] = 0;
#endif
  return sum;
}

inline ActivationRows quantize_rows(const PackedLinearArgs& args, int32_t zero, bool alone) {
  const PackedLayout& layout = args.w.layout;
  const int64_t groups = layout.groups(), row_bytes = (layout.k + 63) / 64 * 64;
  const int64_t table_bytes = (args.m * groups * 4 + 63) / 64 * 64;
  auto* scales =
      static_cast<float*>(thread_scratch(static_cast<size_t>(2 * table_bytes + args.m * row_bytes + 64), kScratchRows));
  auto* starts = reinterpret_cast<int32_t*>(reinterpret_cast<std::byte*>(scales) + table_bytes);
  auto* words = reinterpret_cast<std::byte*>(starts) + table_bytes;
  with_type(args.x.dtype, [&](auto* tag) {
    const auto* x = static_cast<const Pointee<decltype(tag)>*>(args.x.data);
    parallel_for(args.m, alone ? args.m : 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        auto* bytes = reinterpret_cast<int8_t*>(words + row * row_bytes);
        for (int64_t g = 0; g < groups; ++g) {
          const int64_t first = g * layout.group, count = std::min(layout.group, layout.k - first);
          const int64_t at = g * args.m + row;
          starts[at] = -zero * quantize(x + row * args.x_stride + first, count, bytes + first, scales[at]);
        }
      }
    });
  });
  return {words, row_bytes, scales, starts, args.m};
}

// bf16 rows where they are, or a rounded copy, filled up with zeros.
inline ActivationRows brain_rows(const PackedLinearArgs& args, bool alone) {
  const int64_t k = args.w.layout.k;
  if (args.x.dtype == DType::bf16 && k % (2 * kGroupStep<BrainProducts>) == 0) {
    return {static_cast<const std::byte*>(args.x.data), args.x_stride * 2, nullptr, nullptr, 0};
  }
  const int64_t row_bytes = (k * 2 + 63) / 64 * 64;
  auto* words = static_cast<std::byte*>(thread_scratch(static_cast<size_t>(args.m * row_bytes), kScratchRows));
  with_type(args.x.dtype, [&](auto* tag) {
    const auto* x = static_cast<const Pointee<decltype(tag)>*>(args.x.data);
    parallel_for(args.m, alone ? args.m : 4, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        auto* out = reinterpret_cast<Brain*>(words + row * row_bytes);
        map(
            k, out, [](Floats v) { return v; }, x + row * args.x_stride);
        std::fill(out + k, out + row_bytes / 2, Brain{});
      }
    });
  });
  return {words, row_bytes, nullptr, nullptr, 0};
}

}  // namespace
SENSORIUM_ISA_END
