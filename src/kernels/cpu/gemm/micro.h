// The micro-kernel: a tile of C of up to 6 rows x kColumns columns stays in registers (24 of the 32 of AVX-512, 12 of
// the 16 of AVX2) while it walks along k. Four loads of B and six broadcasts of A feed 24 multiply-adds.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/cpu/gemm/products.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kTileRows = 6;
#if defined(__AVX512F__)
constexpr int64_t kVectors = 4;
#else
constexpr int64_t kVectors = 2;
#endif
constexpr int64_t kColumns = kVectors * kLanes;  // of a tile, and of a panel of B

constexpr int64_t div_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

// Products that the processor's tile registers compute (gemm/tile_registers.h).
#if defined(__AMX_TILE__)
template <typename Products>
constexpr bool kInTileRegisters = !std::is_same_v<Products, F32Products>;
#else
template <typename Products>
constexpr bool kInTileRegisters = false;
#endif
template <typename Products>
constexpr int64_t kMostTileRows = kInTileRegisters<Products> ? 32 : kTileRows;
// The micro-kernel takes this many groups at a time: packed operands have zeros up to a multiple of it.
template <typename Products>
constexpr int64_t kGroupStep = kInTileRegisters<Products> ? 16 : 1;

template <typename Products>
constexpr int64_t group_count(int64_t k) {
  return div_up(k, Products::kGroup * kGroupStep<Products>) * kGroupStep<Products>;
}

// Words of A: row r and group g at data + r * row_bytes + g * group_bytes.
struct TileRows {
  const char* data;
  int64_t row_bytes, group_bytes;
};

// Sums [rows][kColumns] of A times `groups` rows of a panel; they start from zero, or go on from what `sums` holds. One
// cache line at `prefetch` is asked for per group, if there is a `prefetch`.
template <typename Products>
using MicroKernel = void (*)(const TileRows& a, const uint32_t* panel, int64_t groups, const char* prefetch, bool go_on,
                             typename Products::Sum* sums);

template <typename Products, int kRows, bool kPrefetch>
SENSORIUM_VECTOR void walk(const TileRows& rows, const uint32_t* panel, int64_t groups, const char* prefetch,
                           typename Products::Sums (&c)[kRows][kVectors]) {
  const char* a = rows.data;
  const int64_t row_bytes = rows.row_bytes;
  for (int64_t g = 0; g < groups; ++g, a += rows.group_bytes, panel += kColumns) {
    if constexpr (kPrefetch) {
      __builtin_prefetch(prefetch + 64 * g, 0, 2);
    }
    Words b[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b[v] = load_vector(panel + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      uint32_t word;
      std::memcpy(&word, a + r * row_bytes, 4);
      const Words row = splat(word);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) c[r][v] = Products::add_products(c[r][v], row, b[v]);
    }
  }
}

template <typename Products, int kRows>
void micro_kernel(const TileRows& a, const uint32_t* panel, int64_t groups, const char* prefetch, bool go_on,
                  typename Products::Sum* sums) {
  typename Products::Sums c[kRows][kVectors];
  if (go_on) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) std::memcpy(&c[r][v], sums + r * kColumns + v * kLanes, sizeof(c[r][v]));
    }
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) c[r][v] = typename Products::Sums{};
    }
  }
  if (prefetch != nullptr) {
    walk<Products, kRows, true>(a, panel, groups, prefetch, c);
  } else {
    walk<Products, kRows, false>(a, panel, groups, prefetch, c);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) std::memcpy(sums + r * kColumns + v * kLanes, &c[r][v], sizeof(c[r][v]));
  }
}

template <typename Products>
constexpr MicroKernel<Products> kMicroKernels[kTileRows] = {micro_kernel<Products, 1>, micro_kernel<Products, 2>,
                                                            micro_kernel<Products, 3>, micro_kernel<Products, 4>,
                                                            micro_kernel<Products, 5>, micro_kernel<Products, 6>};

// Rows of the next tile when `left` are left: the last two tiles share what is left, since a tile of one or two rows
// has too few independent sums to keep the multipliers busy.
constexpr int64_t next_tile(int64_t left) {
  return left <= kTileRows ? left : left >= 2 * kTileRows ? kTileRows : (left + 1) / 2;
}
template <typename Products>
constexpr int64_t next_tile_of(int64_t left) {
  return kInTileRegisters<Products> ? std::min(left, kMostTileRows<Products>) : next_tile(left);
}

}  // namespace
SENSORIUM_ISA_END
