// FlashAttention (Dao 2022; Dao 2023) over packed tiles, for one instruction set.
//
// Every product is c_MN += a_MK * b_KN on the same register tile: rows of `a` are broadcast one unit at a time, columns of
// `b` are vectors. A unit is what one multiply-add consumes along k: Simd::kUnit elements (2 for bf16, 1 for f32), so a packed
// operand is [K / unit][columns][unit]. `a` is read through two strides, which makes a block packed for the role of `b`
// readable as its own transpose. With tile registers (AMX) the same operands go through them, 16 units at a time.
//
// Legend: D head size, T query rows, S keys, U unit, W lanes. Offsets of rows are within their sequence.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/attention/kv_rows.h"
#include "kernels/cpu/attention/simd.h"
#include "kernels/cpu/gemm/tile_registers.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr float kMasked = -1e30f;  // a score that no softmax sees; finite, so that differences stay numbers
constexpr float kLog2E = 1.44269504088896341f;
constexpr float kLn2 = 0.69314718055994531f;

// What decode writes for one query row of one head: the largest score (base 2), the sum of exponentials, two floats of
// padding, and D sums of values, not normalised.
constexpr int64_t decode_record(int64_t head_dim) { return 4 + head_dim; }

#if defined(__AMX_TILE__)
// The tile registers of the calling thread, shaped by the products between the begin and the end of a scope.
inline TileRegisters& thread_tile_registers() {
  thread_local TileRegisters registers;
  return registers;
}
struct TileRegisterScope {
  TileRegisterScope() = default;
  ~TileRegisterScope() { thread_tile_registers().release(); }
  TileRegisterScope(const TileRegisterScope&) = delete;
  TileRegisterScope& operator=(const TileRegisterScope&) = delete;
};
#else
struct TileRegisterScope {};
#endif

template <class Simd>
struct Tiles {
  using Elem = typename Simd::Elem;
  using Vec = typename Simd::Vec;
  static constexpr int W = Simd::kLanes, U = Simd::kUnit, R = Simd::kRows, N = Simd::kVectors;
  static constexpr int64_t kPanel = N * W;      // columns of a packed panel
  static constexpr int64_t kRowBlock = 48;      // query rows whose scores are alive at once
  static constexpr int64_t kKeyBlock = 256;     // their columns: 48 KB of f32 scores
  static constexpr int64_t kMostKeys = 320;     // of a block where a few keys more save one
  static constexpr int64_t kBackwardRows = 96;  // longer sums over rows, for dK and dV

  static constexpr int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }
  static constexpr int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
  static constexpr int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

  // Carves one scratch buffer of the calling thread. Run once with no memory to learn the size.
  struct Arena {
    char* base = nullptr;
    size_t used = 0;
    template <typename T>
    T* take(int64_t count) {
      T* result = base == nullptr ? nullptr : reinterpret_cast<T*>(base + used);
      used += (static_cast<size_t>(count) * sizeof(T) + 127) / 64 * 64;  // and 64 bytes of slack for whole vectors
      return result;
    }
  };
  template <typename Layout>
  static void allocate(Layout& layout) {
    Arena arena;
    layout.place(arena);
    Arena real{static_cast<char*>(thread_scratch(arena.used, 7)), 0};
    layout.place(real);
  }

  struct Rows {
    const Elem* data = nullptr;
    int64_t stride = 0;
    const Elem* row(int64_t r) const { return data + r * stride; }
  };
  static const char* address(const HeadsView& view, int64_t head, int64_t row) {
    return static_cast<const char*>(view.data) +
           (row * view.row_stride + head * view.head_stride) * static_cast<int64_t>(size_of(view.dtype));
  }
  // The same for rows of a cache. The rows of one page stand together.
  static Rows as_elements(const KvRows& rows, int64_t row, int64_t count, int64_t D, Elem* space) {
    if (rows.type == Simd::kType) {
      return {reinterpret_cast<const Elem*>(rows.row(row)), rows.step / static_cast<int64_t>(sizeof(Elem))};
    }
    for (int64_t r = 0; r < count; ++r) {
      if (rows.type == DType::i8) {
        float wide[256];
        widen_row(rows.row(row + r), DType::i8, D, wide);
        const float scale = *rows.scale(row + r);
        for (int64_t d = 0; d < D; ++d) wide[d] *= scale;
        Simd::convert(wide, DType::f32, D, space + r * D);
      } else {
        Simd::convert(rows.row(row + r), rows.type, D, space + r * D);
      }
    }
    return {space, D};
  }
  // Rows as elements of the products: where they lie if they are, else converted into `space` ([count, D]).
  static Rows as_elements(const HeadsView& view, int64_t head, int64_t row, int64_t count, int64_t D, Elem* space) {
    if (view.dtype == Simd::kType) {
      return {reinterpret_cast<const Elem*>(address(view, head, row)), view.row_stride};
    }
    for (int64_t r = 0; r < count; ++r) Simd::convert(address(view, head, row + r), view.dtype, D, space + r * D);
    return {space, D};
  }
  static int64_t conversion_space(const HeadsView& view, int64_t count, int64_t D) {
    return view.dtype == Simd::kType ? 0 : count * D;
  }

  // k runs along D: [panel][D / U][kPanel][U], columns are the rows given, zero-padded.
  static void pack_transposed(const Rows& rows, int64_t count, int64_t D, Elem* out) {
    const int64_t units = D / U;
    for (int64_t r = 0; r < count; r += W) {
      Elem* panel = out + r / kPanel * kPanel * D + r % kPanel * U;
      Simd::transpose_units(rows.row(r), rows.stride, min(W, count - r), units, panel, kPanel * U);
    }
  }
  static constexpr int64_t transposed_size(int64_t count, int64_t D) { return round_up(count, kPanel) * D; }

  // k runs along the rows: [group of columns][rows / U][width of the group][U]; the last group is narrower. The rows given are
  // `first`.. (a multiple of U) of `total`.
  static void pack_straight(const Rows& rows, int64_t count, int64_t D, Elem* out) {
    pack_straight(rows, count, D, out, 0, count);
  }
  static void pack_straight(const Rows& rows, int64_t count, int64_t D, Elem* out, int64_t first_row, int64_t total) {
    const int64_t units = (count + U - 1) / U;
    for (int64_t c = 0; c < D; c += W) {
      const int64_t width = group_width(c, D) * U;
      Elem* group = out + straight_group(c, total) + first_row / U * width;
      for (int64_t u = 0; u < units; ++u) {
        const Elem* first = rows.row(u * U) + c;
        Simd::interleave_rows(first, U > 1 && u * U + 1 < count ? first + rows.stride : nullptr, min(W, D - c),
                              group + u * width + c % kPanel * U);
      }
    }
  }
  static constexpr int64_t straight_group(int64_t column, int64_t count) {
    return column / kPanel * kPanel * round_up(count, U);
  }
  static constexpr int64_t group_width(int64_t column, int64_t D) {
    const int64_t start = column / kPanel * kPanel;
    return min(kPanel, round_up(D, W) - start);
  }
  static constexpr int64_t straight_size(int64_t count, int64_t D) { return round_up(count, U) * round_up(D, W); }

  struct Product {
    const Elem* a;
    int64_t a_row, a_unit;  // strides, in elements
    const Elem* b;
    int64_t b_unit;
    int64_t units;
  };
  template <int kR, int kN, typename Epilogue>
  static SENSORIUM_INLINE void fixed_tile(const Product& p, Epilogue&& epilogue) {
    Vec acc[kR][kN];
    SENSORIUM_UNROLL
    for (int r = 0; r < kR; ++r) {
      SENSORIUM_UNROLL
      for (int v = 0; v < kN; ++v) acc[r][v] = Simd::zero();
    }
    const Elem* a = p.a;
    const Elem* b = p.b;
    const int64_t a_row = p.a_row, a_unit = p.a_unit, b_unit = p.b_unit;
    for (int64_t u = p.units; u > 0; --u) {
      typename Simd::Units bv[kN];
      SENSORIUM_UNROLL
      for (int v = 0; v < kN; ++v) bv[v] = Simd::load_units(b + v * W * U);
      SENSORIUM_UNROLL
      for (int r = 0; r < kR; ++r) {
        const typename Simd::Units av = Simd::broadcast_unit(a + r * a_row);
        SENSORIUM_UNROLL
        for (int v = 0; v < kN; ++v) acc[r][v] = Simd::multiply_add(acc[r][v], av, bv[v]);
      }
      a += a_unit;
      b += b_unit;
    }
    SENSORIUM_UNROLL
    for (int r = 0; r < kR; ++r) epilogue(r, acc[r], std::integral_constant<int, kN>());
  }
  template <int kR, typename Epilogue>
  static SENSORIUM_INLINE void tile_of_rows(int64_t vectors, const Product& p, Epilogue& epilogue) {
    switch (vectors) {
      case 1:
        return fixed_tile<kR, 1>(p, epilogue);
      case 2:
        return fixed_tile<kR, 2>(p, epilogue);
      case 3:
        if constexpr (N >= 3) return fixed_tile<kR, 3>(p, epilogue);
        return;
      default:
        if constexpr (N >= 4) return fixed_tile<kR, 4>(p, epilogue);
    }
  }
#if defined(__AMX_TILE__)
  template <int kN, typename Epilogue>
  static SENSORIUM_INLINE void register_tile(int64_t rows, const Product& p, Epilogue& epilogue) {
    constexpr int64_t kUnits = 16, kWords = 16;  // of a register's rows
    alignas(64) float sums[kRegisterRows * kN * W];
    alignas(64) Elem a_rows[kRegisterRows * kWords * U], b_rows[kUnits * kN * W * U];
    thread_tile_registers().shape(rows);
    _tile_zero(0);
    if constexpr (kN > 1) _tile_zero(1);
    if constexpr (kN > 2) _tile_zero(2);
    if constexpr (kN > 3) _tile_zero(3);
    for (int64_t u = 0; u < p.units; u += kUnits) {
      const int64_t left = min(kUnits, p.units - u);
      const Elem* a = p.a + u * p.a_unit;
      const Elem* b = p.b + u * p.b_unit;
      int64_t a_bytes = p.a_row * 2, b_bytes = p.b_unit * 2;
      if (p.a_unit != U) {
        transpose_words(reinterpret_cast<const char*>(a), p.a_unit * 2, left, rows, reinterpret_cast<char*>(a_rows),
                        64);
        a = a_rows;
        a_bytes = 64;
      } else if (left < kUnits) {
        const auto present = static_cast<__mmask16>((1u << left) - 1);
        for (int64_t r = 0; r < rows; ++r)
          _mm512_store_si512(a_rows + r * kWords * U, _mm512_maskz_loadu_epi32(present, a + r * p.a_row));
        a = a_rows;
        a_bytes = 64;
      }
      if (left < kUnits) {
        for (int64_t i = 0; i < kUnits; ++i) {
          SENSORIUM_UNROLL
          for (int v = 0; v < kN; ++v) {
            const __m512i words = i < left ? _mm512_loadu_si512(b + i * p.b_unit + v * W * U) : _mm512_setzero_si512();
            _mm512_store_si512(b_rows + (i * kN + v) * W * U, words);
          }
        }
        b = b_rows;
        b_bytes = kN * 64;
      }
      finish_writes();
      _tile_loadd(4, a, a_bytes);
      _tile_loadd(6, b, b_bytes);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (kN > 1) {
        _tile_loadd(7, b + W * U, b_bytes);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (kN > 2) {
        _tile_loadd(6, b + 2 * W * U, b_bytes);
        _tile_dpbf16ps(2, 4, 6);
      }
      if constexpr (kN > 3) {
        _tile_loadd(7, b + 3 * W * U, b_bytes);
        _tile_dpbf16ps(3, 4, 7);
      }
    }
    _tile_stored(0, sums, kN * 64);
    if constexpr (kN > 1) _tile_stored(1, sums + W, kN * 64);
    if constexpr (kN > 2) _tile_stored(2, sums + 2 * W, kN * 64);
    if constexpr (kN > 3) _tile_stored(3, sums + 3 * W, kN * 64);
    for (int r = 0; r < rows; ++r) {
      Vec acc[kN];
      SENSORIUM_UNROLL
      for (int v = 0; v < kN; ++v) acc[v] = Simd::load(sums + (r * kN + v) * W);
      epilogue(r, acc, std::integral_constant<int, kN>());
    }
  }
#endif

  // The epilogue gets (row, vectors of that row, their number as a constant) for each row in turn.
  template <typename Epilogue>
  static SENSORIUM_INLINE void tile(int64_t rows, int64_t vectors, const Product& p, Epilogue epilogue) {
#if defined(__AMX_TILE__)
    if constexpr (Simd::kInTileRegisters) {
      switch (vectors) {
        case 1:
          return register_tile<1>(rows, p, epilogue);
        case 2:
          return register_tile<2>(rows, p, epilogue);
        case 3:
          return register_tile<3>(rows, p, epilogue);
        default:
          return register_tile<4>(rows, p, epilogue);
      }
    }
#endif
    switch (rows) {
      case 1:
        return tile_of_rows<1>(vectors, p, epilogue);
      case 2:
        return tile_of_rows<2>(vectors, p, epilogue);
      case 3:
        return tile_of_rows<3>(vectors, p, epilogue);
      case 4:
        return tile_of_rows<4>(vectors, p, epilogue);
      case 5:
        return tile_of_rows<5>(vectors, p, epilogue);
      default:
        return tile_of_rows<6>(vectors, p, epilogue);
    }
  }
  // Rows of the next tile, in multiples of `step`: R, and the last two tiles share what is left, since a tile of one or two
  // rows has too few independent sums to keep the multipliers busy.
  static int64_t next_rows(int64_t left, int64_t step) {
    if (left <= R || left >= 2 * R) return min(left, R);
    return round_up((left + 1) / 2, step);
  }

  // Writes D floats times `factor` as `type`.
  static void write_row(const float* row, float factor, int64_t D, void* out, int64_t index, DType type) {
    with_type(type, [&](auto* tag) {
      auto* to = static_cast<decltype(tag)>(out) + index;
      for (int64_t d = 0; d < D; ++d) kernels::cpu::SENSORIUM_ISA::store(to, d, row[d] * factor);
    });
  }
};

}  // namespace
SENSORIUM_ISA_END
