// A few rows of A times weights w[N, K]: every weight is read once, where it is. Bound by memory.
#pragma once

#include "kernels/cpu/gemm/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kMostVectors = 4;     // rows of A
constexpr int64_t kStreams = 4;         // rows of weights that are read at once
constexpr int64_t kVectorTask = 65536;  // weights of a task

SENSORIUM_VECTOR float sum_of_lanes(Floats v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);
#else
  return total(v);
#endif
}

// out[stream][row]: products of kRows rows of A (as words, zero-padded to whole vectors) with kWeights rows of weights.
template <typename Products, int kRows, int kWeights, typename T>
void dot_rows(const uint32_t* a, int64_t a_stride, const T* w, int64_t w_stride, int64_t k, float* out) {
  constexpr int64_t kStep = kLanes * Products::kGroup;
  Floats sums[kWeights][kRows];
#pragma GCC unroll 4
  for (int i = 0; i < kWeights; ++i) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) sums[i][r] = Floats{};
  }
  int64_t at = 0;
  for (; at + kStep <= k; at += kStep, a += kLanes) {
#pragma GCC unroll 4
    for (int i = 0; i < kWeights; ++i) {
      const Words weights = Products::along(w + i * w_stride + at);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
        sums[i][r] = Products::add_products(sums[i][r], load_vector(a + r * a_stride), weights);
    }
  }
  if (at < k) {
#pragma GCC unroll 4
    for (int i = 0; i < kWeights; ++i) {
      const Words weights = Products::along(w + i * w_stride + at, k - at);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
        sums[i][r] = Products::add_products(sums[i][r], load_vector(a + r * a_stride), weights);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kWeights; ++i) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) out[i * kRows + r] = sum_of_lanes(sums[i][r]);
  }
}

template <typename Products, int kRows, typename T>
void multiply_rows(const GemmArgs& args, const uint32_t* a, int64_t a_stride, const T* w) {
  const int64_t stride = args.b.col_stride;
  const int64_t grain = std::max<int64_t>(kVectorTask / std::max<int64_t>(args.k, 1) / kStreams, 1) * kStreams;
  const bool alone = args.n * args.k <= 2 * kVectorTask;
  parallel_for(args.n, alone ? args.n : grain, [&](int64_t begin, int64_t end, int) {
    float sums[kStreams * kRows];
    for (int64_t n = begin; n < end;) {
      const int64_t count = end - n >= kStreams ? kStreams : 1;
      if (count == kStreams) {
        dot_rows<Products, kRows, kStreams>(a, a_stride, w + n * stride, stride, args.k, sums);
      } else {
        dot_rows<Products, kRows, 1>(a, a_stride, w + n * stride, stride, args.k, sums);
      }
      with_type(args.c_dtype, [&](auto* tag) {
        for (int64_t r = 0; r < kRows; ++r) {
          auto* c = static_cast<decltype(tag)>(args.c) + r * args.ldc;
          for (int64_t i = 0; i < count; ++i) {
            float sum = sums[i * kRows + r];
            if (args.bias != nullptr) sum += args.bias[n + i];
            if (args.accumulate) sum += load(c, n + i);
            store(c, n + i, sum);
          }
        }
      });
      n += count;
    }
  });
}

template <typename Products>
void multiply_vectors(const GemmArgs& args) {
  constexpr int64_t kStep = kLanes * Products::kGroup;
  const int64_t stride = div_up(args.k, kStep) * kLanes;
  auto* words = static_cast<uint32_t*>(thread_scratch(static_cast<size_t>(args.m * stride) * 4, kScratchA));
  with_any_type(args.a.dtype, [&](auto* tag) {
    const auto* a = static_cast<const Pointee<decltype(tag)>*>(args.a.data);
    for (int64_t r = 0; r < args.m; ++r) {
      for (int64_t at = 0; at < args.k; at += kStep) {
        const auto* from = a + r * args.a.row_stride + at;
        store_vector(words + r * stride + at / Products::kGroup,
                     at + kStep <= args.k ? Products::along(from) : Products::along(from, args.k - at));
      }
    }
  });
  with_any_type(args.b.dtype, [&](auto* tag) {
    const auto* w = static_cast<const Pointee<decltype(tag)>*>(args.b.data);
    switch (args.m) {
      case 1:
        return multiply_rows<Products, 1>(args, words, stride, w);
      case 2:
        return multiply_rows<Products, 2>(args, words, stride, w);
      case 3:
        return multiply_rows<Products, 3>(args, words, stride, w);
      default:
        return multiply_rows<Products, 4>(args, words, stride, w);
    }
  });
}

}  // namespace
SENSORIUM_ISA_END
