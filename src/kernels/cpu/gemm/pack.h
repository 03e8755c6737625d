// Operands in the order in which the micro-kernel reads them.
#pragma once

#include <algorithm>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/gemm/micro.h"

SENSORIUM_ISA_BEGIN
namespace {

// f(pointer of the element type) for an operand of a product.
template <typename Fn>
void with_operand_type(DType dtype, Fn&& fn) {
  switch (dtype) {
    case DType::i8:
      return fn(static_cast<const int8_t*>(nullptr));
    case DType::u8:
      return fn(static_cast<const uint8_t*>(nullptr));
    default:
      return with_any_type(dtype, [&](auto* tag) { fn(static_cast<const Pointee<decltype(tag)>*>(tag)); });
  }
}
// The same where `Products` takes that type.
template <typename Products, typename Fn>
void with_type_of(DType dtype, Fn&& fn) {
  with_operand_type(dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    constexpr bool is_byte = sizeof(T) == 1, takes_bytes = std::is_same_v<Products, ByteProducts>;
    if constexpr (is_byte == takes_bytes) fn(tag);
  });
}

SENSORIUM_VECTOR void transpose(Words (&rows)[kLanes]) {
#if defined(__AVX512F__)
  __m512i a[16], b[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    a[2 * i] = _mm512_unpacklo_epi32((__m512i)rows[2 * i], (__m512i)rows[2 * i + 1]);
    a[2 * i + 1] = _mm512_unpackhi_epi32((__m512i)rows[2 * i], (__m512i)rows[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
    b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
  }
  // b[4i + c] holds column c of each 128-bit lane, of rows 4i..4i+3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even_low = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88),
                  odd_low = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xDD);
    const __m512i even_high = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88);
    const __m512i odd_high = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xDD);
    rows[c] = (Words)_mm512_shuffle_i32x4(even_low, even_high, 0x88);
    rows[8 + c] = (Words)_mm512_shuffle_i32x4(even_low, even_high, 0xDD);
    rows[4 + c] = (Words)_mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    rows[12 + c] = (Words)_mm512_shuffle_i32x4(odd_low, odd_high, 0xDD);
  }
#else
  uint32_t in[kLanes][kLanes], out[kLanes][kLanes];
  std::memcpy(in, rows, sizeof(in));
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < kLanes; ++j) out[j][i] = in[i][j];
  }
  std::memcpy(rows, out, sizeof(out));
#endif
}

// Groups first..last of a panel of B (K x N; `columns` <= kColumns of them from `column` on): out[group -
// first][kColumns], with zeros where B ends.
template <typename Products, typename T>
void pack_panel(const T* b, int64_t row_stride, int64_t col_stride, int64_t k, int64_t column, int64_t columns,
                int64_t first, int64_t last, uint32_t* out) {
  constexpr int64_t G = Products::kGroup;
  if (col_stride == 1) {
    for (int64_t g = first; g < last; ++g, out += kColumns) {
      const T* row = b + g * G * row_stride + column;
      const int64_t present = std::min(G, k - g * G);
      if (present <= 0) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) store_vector(out + v * kLanes, Words{});
      } else if (columns == kColumns && present == G) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
          store_vector(out + v * kLanes, Products::across(row + v * kLanes, row_stride, G, kLanes));
      } else {
        for (int64_t v = 0; v < kVectors; ++v) {
          const int64_t lanes = columns - v * kLanes;
          store_vector(out + v * kLanes,
                       lanes > 0 ? Products::across(row + v * kLanes, row_stride, present, lanes) : Words{});
        }
      }
    }
    return;
  }
  for (int64_t g = first; g < last; g += kLanes) {
    const int64_t values = k - g * G, groups = std::min<int64_t>(kLanes, last - g);
    for (int64_t v = 0; v < kVectors; ++v) {
      const T* corner = b + (column + v * kLanes) * col_stride + g * G;
      const int64_t lanes = columns - v * kLanes;
      Words block[kLanes];
      if (lanes >= kLanes && values >= kLanes * G) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) block[i] = Products::along(corner + i * col_stride);
      } else {
        for (int64_t i = 0; i < kLanes; ++i) {
          block[i] = i >= lanes || values <= 0 ? Words{}
                     : values >= kLanes * G    ? Products::along(corner + i * col_stride)
                                               : Products::along(corner + i * col_stride, values);
        }
      }
      transpose(block);
      uint32_t* to = out + (g - first) * kColumns + v * kLanes;
      if (groups == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) store_vector(to + i * kColumns, block[i]);
      } else {
        for (int64_t i = 0; i < groups; ++i) store_vector(to + i * kColumns, block[i]);
      }
    }
  }
}

// The rows of A for the micro-kernel. As they are in memory, copied row by row, or (from a transposed A) tile by tile:
// [tile][group][rows of the tile].
struct RowsOfA {
  const char* data = nullptr;
  int64_t row_bytes = 0, group_bytes = 0;
  bool tiled = false;
  TileRows tile(int64_t row, int64_t rows) const {
    if (tiled) return {data + row * row_bytes, 4, rows * 4};
    return {data + row * row_bytes, row_bytes, group_bytes};
  }
};

constexpr int64_t kRowBlock = 96;  // rows of A of one task; tiles do not cross blocks

// A is read where it is if it has the type of the products, k runs along its rows and ends with whole groups.
template <typename Products>
bool readable_in_place(const GemmOperand& a, int64_t k) {
  return Products::kInPlace && a.dtype == Products::kNative && a.col_stride == 1 &&
         k % (Products::kGroup * kGroupStep<Products>) == 0;
}

// Rows of a transposed A one after another, by blocks of kLanes rows x kLanes groups.
template <typename Products, typename T>
void transpose_rows(const T* a, int64_t col_stride, int64_t m, int64_t k, bool alone, uint32_t* out) {
  constexpr int64_t G = Products::kGroup;
  const int64_t groups = group_count<Products>(k), blocks = div_up(m, kLanes);
  // Several blocks side by side share the cache lines of A.
  const int64_t grain = alone ? blocks : std::max<int64_t>(64 / (kLanes * static_cast<int64_t>(sizeof(T))), 1) * 2;
  parallel_for(blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t g = 0; g < groups; g += kLanes) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t row = block * kLanes, rows = std::min<int64_t>(kLanes, m - row);
        Words words[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) {
          const int64_t present = std::min(G, k - (g + i) * G);
          words[i] =
              present <= 0 ? Words{} : Products::across(a + (g + i) * G * col_stride + row, col_stride, present, rows);
        }
        transpose(words);
        uint32_t* to = out + row * groups + g;
        for (int64_t i = 0; i < rows; ++i) store_words(to + i * groups, words[i], groups - g);
      }
    }
  });
}

template <typename Products>
RowsOfA rows_of(const GemmOperand& a, int64_t m, int64_t k, bool alone, int slot) {
  const int64_t groups = group_count<Products>(k);
  if (readable_in_place<Products>(a, k)) {
    return {static_cast<const char*>(a.data), a.row_stride * static_cast<int64_t>(size_of(a.dtype)), 4, false};
  }
  constexpr int64_t G = Products::kGroup;
  auto* copy = static_cast<uint32_t*>(thread_scratch(static_cast<size_t>(m * groups) * 4, slot));
  with_type_of<Products>(a.dtype, [&](auto* tag) {
    using T = std::remove_const_t<Pointee<decltype(tag)>>;
    const T* data = static_cast<const T*>(a.data);
    if (a.col_stride == 1) {
      parallel_for(m, alone ? m : 16, [&](int64_t begin, int64_t end, int) {
        for (int64_t row = begin; row < end; ++row) {
          const T* from = data + row * a.row_stride;
          uint32_t* to = copy + row * groups;
          int64_t g = 0;
          for (; (g + kLanes) * G <= k; g += kLanes) store_vector(to + g, Products::along(from + g * G));
          if (g * G < k) {
            store_words(to + g, Products::along(from + g * G, k - g * G), groups - g);
            g += kLanes;
          }
          if (g < groups) store_words(to + g, Words{}, groups - g);
        }
      });
      return;
    }
    if constexpr (kInTileRegisters<Products>) {
      transpose_rows<Products>(data, a.col_stride, m, k, alone, copy);
      return;
    }
    // Pieces of 64 groups, so that a task's rows of A stay in the L1 cache for all tiles of the block.
    constexpr int64_t kPiece = 64, kAhead = 6;
    constexpr int64_t kRowWords = 8;
    static_assert(kTileRows <= kRowWords);
    const int64_t blocks = div_up(m, kRowBlock), pieces = div_up(groups, kPiece);
    parallel_for(blocks * pieces, alone ? blocks * pieces : 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = task / pieces * kRowBlock, last = std::min(m, first + kRowBlock);
        const int64_t g0 = task % pieces * kPiece, g1 = std::min(groups, g0 + kPiece);
        // First the words of all rows of the block, vector by vector; then each tile takes its own of them.
        alignas(64) uint32_t words[kPiece * kRowBlock + std::max<int64_t>(kLanes, kRowWords)];
        for (int64_t g = g0; g < g1; ++g) {
          const T* from = data + g * G * a.col_stride;
          const int64_t present = std::min(G, k - g * G);
          if (g + kAhead < g1) {
            for (int64_t i = 0; i < G; ++i) {
              const T* later = from + (kAhead * G + i) * a.col_stride;
              for (int64_t row = first; row < last; row += 64 / static_cast<int64_t>(sizeof(T)))
                __builtin_prefetch(later + row);
            }
          }
          for (int64_t row = first; row < last; row += kLanes) {
            store_vector(words + (g - g0) * kRowBlock + row - first,
                         Products::across(from + row, a.col_stride, present, last - row));
          }
        }
        for (int64_t row = first; row < last;) {
          const int64_t rows = next_tile(last - row);
          uint32_t* to = copy + row * groups + g0 * rows;
          const uint32_t* from = words + row - first;
          const uint32_t* stop = to + (g1 - g0) * rows;
          // Whole vectors: the next group overwrites what is too much.
          for (; to + kRowWords <= stop; to += rows, from += kRowBlock) std::memcpy(to, from, kRowWords * 4);
          for (; to < stop; to += rows, from += kRowBlock) std::memcpy(to, from, static_cast<size_t>(rows) * 4);
          row += rows;
        }
      }
    });
  });
  const bool tiled = a.col_stride != 1 && !kInTileRegisters<Products>;
  return {reinterpret_cast<const char*>(copy), groups * 4, 4, tiled};
}

}  // namespace
SENSORIUM_ISA_END
