// Packing and micro-kernels of the matrix products, shared by gemm.cpp and the fused attention.
#pragma once

#include <algorithm>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kRows = 6;
constexpr int64_t kColumns = kPanelColumns;

float load_any(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32:
      return load(static_cast<const float*>(data), i);
    case DType::bf16:
      return load(static_cast<const Brain*>(data), i);
    default:
      return load(static_cast<const Half*>(data), i);
  }
}

template <typename Fn>
void with_float_type(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::f32:
      fn(static_cast<const float*>(nullptr));
      return;
    case DType::bf16:
      fn(static_cast<const Brain*>(nullptr));
      return;
    default:
      fn(static_cast<const Half*>(nullptr));
  }
}

template <typename T>
uint32_t brain_bits(const T* p, int64_t i) {
  if constexpr (std::is_same_v<T, Brain>) {
    return p[i].bits;
  } else {
    return round_to_brain(load(p, i));
  }
}

// Pairs of k side by side: word [k/2][column] holds the bf16 of k (low half) and k+1.
template <typename T>
void pack_pairs_rows(const T* row0, const T* row1, int64_t count, int64_t padded, uint32_t* out) {
  if (row1 != nullptr) {
    for (int64_t i = 0; i < count; ++i) out[i] = brain_bits(row0, i) | brain_bits(row1, i) << 16;
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = brain_bits(row0, i);
  }
  for (int64_t i = count; i < padded; ++i) out[i] = 0;
}

// A panel from a weight w[N, K] (k contiguous): a transposition in blocks of 16 columns, so that stores stay in few lines.
template <typename T>
void pack_pairs_columns(const T* w, int64_t stride, int64_t count, int64_t k, uint32_t* out) {
  const int64_t pairs = (k + 1) / 2, whole = k / 2;
  constexpr int64_t kBlock = 16;
  for (int64_t n0 = 0; n0 < kColumns; n0 += kBlock) {
    for (int64_t p0 = 0; p0 < pairs; p0 += kBlock) {
      const int64_t p1 = std::min(p0 + kBlock, pairs);
      uint32_t block[kBlock][kBlock];
      for (int64_t j = 0; j < kBlock; ++j) {
        const int64_t n = n0 + j;
        for (int64_t p = p0; p < p1; ++p) block[j][p - p0] = 0;
        if (n >= count) continue;
        const T* row = w + n * stride;
        const int64_t end = std::min(p1, whole);
        if constexpr (std::is_same_v<T, Brain>) {
          std::memcpy(block[j], row + 2 * p0, static_cast<size_t>(std::max<int64_t>(end - p0, 0)) * 4);
        } else {
          for (int64_t p = p0; p < end; ++p) block[j][p - p0] = brain_bits(row, 2 * p) | brain_bits(row, 2 * p + 1) << 16;
        }
        if (end < p1) block[j][end - p0] = brain_bits(row, k - 1);
      }
      for (int64_t p = p0; p < p1; ++p) {
        for (int64_t j = 0; j < kBlock; ++j) out[p * kColumns + n0 + j] = block[j][p - p0];
      }
    }
  }
}

void pack_panel_bf16(const GemmOperand& b, int64_t k, int64_t n, int64_t panel, uint32_t* out) {
  const int64_t first = panel * kColumns, count = std::min(kColumns, n - first);
  with_float_type(b.dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    const T* data = static_cast<const T*>(b.data);
    if (b.col_stride == 1) {
      for (int64_t p = 0; 2 * p < k; ++p) {
        const T* row = data + 2 * p * b.row_stride + first;
        pack_pairs_rows(row, 2 * p + 1 < k ? row + b.row_stride : nullptr, count, kColumns, out + p * kColumns);
      }
    } else {
      pack_pairs_columns(data + first * b.col_stride, b.col_stride, count, k, out);
    }
  });
}

void pack_panel_f32(const GemmOperand& b, int64_t k, int64_t n, int64_t panel, float* out) {
  const int64_t first = panel * kColumns, count = std::min(kColumns, n - first);
  with_float_type(b.dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    const T* data = static_cast<const T*>(b.data);
    constexpr int64_t kBlock = 16;
    for (int64_t k0 = 0; k0 < k; k0 += kBlock) {
      const int64_t k1 = std::min(k0 + kBlock, k);
      for (int64_t j = 0; j < kColumns; ++j) {
        for (int64_t i = k0; i < k1; ++i) {
          out[i * kColumns + j] = j < count ? load(data, i * b.row_stride + (first + j) * b.col_stride) : 0.0f;
        }
      }
    }
  });
}

void pack_panel(const GemmOperand& b, int64_t k, int64_t n, DType compute, int64_t panel, void* panels) {
  const int64_t offset = panel * padded_k(k, compute) * kColumns;
  if (compute == DType::bf16) {
    pack_panel_bf16(b, k, n, panel, reinterpret_cast<uint32_t*>(static_cast<uint16_t*>(panels) + offset));
  } else {
    pack_panel_f32(b, k, n, panel, static_cast<float*>(panels) + offset);
  }
}

// Rows of A as the micro-kernel wants them: word (row, group of k) at data[row * row_stride + group * group_stride].
template <typename Word>
struct Rows {
  const Word* data;
  int64_t row_stride, group_stride;
  Rows from(int64_t row) const { return {data + row * row_stride, row_stride, group_stride}; }
};

// sums[kCount][64] = A * panel over `groups` groups of k.
template <int kCount>
void micro_bf16(const Rows<uint32_t>& a, const uint32_t* panel, int64_t groups, float* sums) {
#if defined(__AVX512BF16__)
  __m512 c[kCount][4];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) c[r][j] = _mm512_setzero_ps();
  }
  const uint32_t* words = a.data;
  for (int64_t p = 0; p < groups; ++p, words += a.group_stride, panel += kColumns) {
    __m512bh b[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) b[j] = (__m512bh)_mm512_load_si512(panel + 16 * j);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) {
      const __m512bh row = (__m512bh)_mm512_set1_epi32(static_cast<int>(words[r * a.row_stride]));
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) c[r][j] = _mm512_dpbf16_ps(c[r][j], row, b[j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) _mm512_store_ps(sums + r * kColumns + 16 * j, c[r][j]);
  }
#else
  for (int r = 0; r < kCount; ++r) {
    float row[kColumns] = {};
    for (int64_t p = 0; p < groups; ++p) {
      const uint32_t word = a.data[r * a.row_stride + p * a.group_stride];
      const float low = std::bit_cast<float>(word << 16), high = std::bit_cast<float>(word & 0xFFFF0000u);
      for (int64_t j = 0; j < kColumns; ++j) {
        const uint32_t pair = panel[p * kColumns + j];
        row[j] += low * std::bit_cast<float>(pair << 16) + high * std::bit_cast<float>(pair & 0xFFFF0000u);
      }
    }
    std::memcpy(sums + r * kColumns, row, sizeof(row));
  }
#endif
}

template <int kCount>
void micro_f32(const Rows<float>& a, const float* panel, int64_t groups, float* sums) {
#if defined(__AVX512F__)
  __m512 c[kCount][4];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) c[r][j] = _mm512_setzero_ps();
  }
  const float* words = a.data;
  for (int64_t p = 0; p < groups; ++p, words += a.group_stride, panel += kColumns) {
    __m512 b[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) b[j] = _mm512_load_ps(panel + 16 * j);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) {
      const __m512 row = _mm512_set1_ps(words[r * a.row_stride]);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) c[r][j] = _mm512_fmadd_ps(row, b[j], c[r][j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) _mm512_store_ps(sums + r * kColumns + 16 * j, c[r][j]);
  }
#else
  for (int r = 0; r < kCount; ++r) {
    float row[kColumns] = {};
    for (int64_t p = 0; p < groups; ++p) {
      const float value = a.data[r * a.row_stride + p * a.group_stride];
      for (int64_t j = 0; j < kColumns; ++j) row[j] += value * panel[p * kColumns + j];
    }
    std::memcpy(sums + r * kColumns, row, sizeof(row));
  }
#endif
}

// Four products of unsigned and signed bytes per word (VNNI's order).
template <int kCount>
void micro_int8(const Rows<uint32_t>& a, const uint32_t* panel, int64_t groups, int32_t* sums) {
#if defined(__AVX512VNNI__)
  __m512i c[kCount][4];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) c[r][j] = _mm512_setzero_si512();
  }
  const uint32_t* words = a.data;
  for (int64_t p = 0; p < groups; ++p, words += a.group_stride, panel += kColumns) {
    __m512i b[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) b[j] = _mm512_load_si512(panel + 16 * j);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) {
      const __m512i row = _mm512_set1_epi32(static_cast<int>(words[r * a.row_stride]));
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) c[r][j] = _mm512_dpbusd_epi32(c[r][j], row, b[j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) _mm512_store_si512(sums + r * kColumns + 16 * j, c[r][j]);
  }
#else
  for (int r = 0; r < kCount; ++r) {
    int32_t row[kColumns] = {};
    for (int64_t p = 0; p < groups; ++p) {
      const uint32_t word = a.data[r * a.row_stride + p * a.group_stride];
      for (int64_t j = 0; j < kColumns; ++j) {
        const uint32_t quad = panel[p * kColumns + j];
        for (int byte = 0; byte < 4; ++byte) {
          row[j] += static_cast<int32_t>((word >> (8 * byte)) & 0xFF) * static_cast<int8_t>(quad >> (8 * byte));
        }
      }
    }
    std::memcpy(sums + r * kColumns, row, sizeof(row));
  }
#endif
}

template <typename Word, typename Sum>
using Micro = void (*)(const Rows<Word>&, const Word*, int64_t, Sum*);

constexpr Micro<uint32_t, float> kMicroBf16[] = {micro_bf16<1>, micro_bf16<2>, micro_bf16<3>,
                                                 micro_bf16<4>, micro_bf16<5>, micro_bf16<6>};
constexpr Micro<float, float> kMicroF32[] = {micro_f32<1>, micro_f32<2>, micro_f32<3>, micro_f32<4>, micro_f32<5>, micro_f32<6>};
constexpr Micro<uint32_t, int32_t> kMicroInt8[] = {micro_int8<1>, micro_int8<2>, micro_int8<3>,
                                                   micro_int8<4>, micro_int8<5>, micro_int8<6>};

#if defined(__AVX512BF16__)
float dot_bf16(const Brain* a, const Brain* b, int64_t k) {
  __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  int64_t i = 0;
  for (; i + 128 <= k; i += 128) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      sums[j] = _mm512_dpbf16_ps(sums[j], (__m512bh)_mm512_loadu_si512(a + i + 32 * j), (__m512bh)_mm512_loadu_si512(b + i + 32 * j));
    }
  }
  for (; i < k; i += 32) {
    const __mmask32 mask = k - i >= 32 ? 0xFFFFFFFFu : (1u << (k - i)) - 1;
    sums[0] = _mm512_dpbf16_ps(sums[0], (__m512bh)_mm512_maskz_loadu_epi16(mask, a + i), (__m512bh)_mm512_maskz_loadu_epi16(mask, b + i));
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}
#endif

template <typename A, typename B>
float dot(const A* a, const B* b, int64_t k) {
#if defined(__AVX512BF16__)
  if constexpr (std::is_same_v<A, Brain> && std::is_same_v<B, Brain>) return dot_bf16(a, b, k);
#endif
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < k; ++i) sum += load(a, i) * load(b, i);
  return sum;
}

}  // namespace
SENSORIUM_ISA_END
