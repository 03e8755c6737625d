// Products with packed weights in tile registers (AMX): steps of a panel are rows of a register as they are, 16 at a time; nibbles
// and what does not fill a register are spread out first, once for all rows of activations.
//
// Sums of quantised groups are exact integers, so results are those of the other micro-kernels bit for bit. Sums of bf16 are not:
// with tile registers every number of rows is computed in them.
#pragma once

#include "kernels/cpu/gemm/tile_registers.h"
#include "kernels/cpu/packed/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

#if defined(__AMX_TILE__)
constexpr bool kPackedInTileRegisters = true;
constexpr int64_t kTileSteps = 16;                   // of a register
constexpr int64_t kStepRowBytes = kPanelRows * 4;    // a step's words of all rows
constexpr int64_t kTileColumns = 2 * kRegisterRows;  // of the tile of y
constexpr int64_t kMostTiledRows = kMostTileRows<ByteProducts>;

// Steps as 64 words each, with zeros up to whole registers.
template <typename Kind>
inline void spread(const std::byte* steps, int64_t count, std::byte* out) {
  for (int64_t s = 0; s < count; ++s, steps += Kind::kStepBytes, out += kStepRowBytes) {
    if constexpr (Kind::kType == PackedType::q4) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const Words both = load_vector(steps + half * 64);
        store_vector(out + half * 128, both & 0x0F0F0F0Fu);
        store_vector(out + half * 128 + 64, (both >> 4) & 0x0F0F0F0Fu);
      }
    } else {
      std::memcpy(out, steps, kStepRowBytes);
    }
  }
  std::memset(out, 0, static_cast<size_t>((div_up(count, kTileSteps) * kTileSteps - count) * kStepRowBytes));
}

// Adds to registers 0..3 (32 rows, if kTall, of 32 columns) the products of `tiles` registers of steps.
template <typename Kind, bool kTall>
inline void add_register_products(const std::byte* a, int64_t a_bytes, const std::byte* w, int64_t tiles) {
  for (int64_t t = 0; t < tiles; ++t, a += 64, w += kTileSteps * kStepRowBytes) {
    _tile_loadd(6, w, kStepRowBytes);
    _tile_loadd(4, a, a_bytes);
    _tile_loadd(7, w + 64, kStepRowBytes);
    if constexpr (Kind::kType == PackedType::bf16) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
    } else {
      _tile_dpbsud(0, 4, 6);
      _tile_dpbsud(1, 4, 7);
    }
    if constexpr (kTall) {
      _tile_loadd(5, a + kRegisterRows * a_bytes, a_bytes);
      if constexpr (Kind::kType == PackedType::bf16) {
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      } else {
        _tile_dpbsud(2, 5, 6);
        _tile_dpbsud(3, 5, 7);
      }
    }
  }
}

// `stride` in elements of 4 bytes.
template <bool kTall, typename T>
inline void store_sums(T* sums, int64_t stride) {
  _tile_stored(0, sums, stride * 4);
  _tile_stored(1, sums + kRegisterRows, stride * 4);
  if constexpr (kTall) {
    _tile_stored(2, sums + kRegisterRows * stride, stride * 4);
    _tile_stored(3, sums + kRegisterRows * stride + kRegisterRows, stride * 4);
  }
}

// sums[rows][64] += bf16 products of `whole` registers of steps and, if there is a `tail`, of that one. More than 16 rows: 32 columns
// at a time. Fewer: all 64 in one walk, so that a panel is read once and in one piece.
template <bool kTall>
inline void multiply_brain_registers(const std::byte* a, int64_t a_bytes, const std::byte* steps, int64_t whole,
                                     const std::byte* tail, float* sums) {
  if constexpr (kTall) {
    for (int64_t column = 0; column < kPanelRows; column += kTileColumns) {
      float *upper = sums + column, *lower = upper + kRegisterRows * kPanelRows;
      _tile_loadd(0, upper, kStepRowBytes);
      _tile_loadd(1, upper + kRegisterRows, kStepRowBytes);
      _tile_loadd(2, lower, kStepRowBytes);
      _tile_loadd(3, lower + kRegisterRows, kStepRowBytes);
      add_register_products<Brains, true>(a, a_bytes, steps + column * 4, whole);
      if (tail != nullptr) add_register_products<Brains, true>(a + whole * 64, a_bytes, tail + column * 4, 1);
      store_sums<true>(sums + column, kPanelRows);
    }
    return;
  }
  const auto walk = [&](const std::byte* w, int64_t tiles) {
    for (int64_t t = 0; t < tiles; ++t, a += 64, w += kTileSteps * kStepRowBytes) {
      _tile_loadd(4, a, a_bytes);
      _tile_loadd(6, w, kStepRowBytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, w + 64, kStepRowBytes);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(6, w + 128, kStepRowBytes);
      _tile_dpbf16ps(2, 4, 6);
      _tile_loadd(7, w + 192, kStepRowBytes);
      _tile_dpbf16ps(3, 4, 7);
    }
  };
  _tile_loadd(0, sums, kStepRowBytes);
  _tile_loadd(1, sums + 16, kStepRowBytes);
  _tile_loadd(2, sums + 32, kStepRowBytes);
  _tile_loadd(3, sums + 48, kStepRowBytes);
  walk(steps, whole);
  if (tail != nullptr) walk(tail, 1);
  _tile_stored(0, sums, kStepRowBytes);
  _tile_stored(1, sums + 16, kStepRowBytes);
  _tile_stored(2, sums + 32, kStepRowBytes);
  _tile_stored(3, sums + 48, kStepRowBytes);
}

// sums[rows][64] += scaled integer products of one group.
template <typename Kind, bool kTall>
inline void multiply_group_registers(const ActivationRows& x, int64_t rows, int64_t group, const std::byte* a,
                                     const std::byte* steps, int64_t tiles, const std::byte* weight_scales,
                                     float* sums) {
  const float* scales = x.scales + group * x.rows;
  const int32_t* starts = x.starts + group * x.rows;
  alignas(64) int32_t products[kMostTiledRows * kTileColumns];
  for (int64_t column = 0; column < kPanelRows; column += kTileColumns) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kTall) {
      _tile_zero(2);
      _tile_zero(3);
    }
    add_register_products<Kind, kTall>(a, x.row_bytes, steps + column * 4, tiles);
    store_sums<kTall>(products, kTileColumns);
    const Floats left = widen_half(load_shorts(weight_scales + column * 2)),
                 right = widen_half(load_shorts(weight_scales + column * 2 + kLanes * 2));
    for (int64_t r = 0; r < rows; ++r) {
      const Ints start = (Ints)splat(static_cast<uint32_t>(starts[r]));
      const Floats scale = broadcast(scales[r]);
      float* to = sums + r * kPanelRows + column;
      const int32_t* from = products + r * kTileColumns;
      const auto add = [&](int64_t at, Floats weight_scale) {
        const Floats value = __builtin_convertvector((Ints)load_vector(from + at) + start, Floats) * scale;
        put(to + at, multiply_add(get(to + at), value, weight_scale));
      };
      add(0, left);
      add(kLanes, right);
    }
  }
}

// Bytes of scratch that multiply_packed_registers needs.
template <typename Kind>
inline int64_t spread_bytes(const Walk& walk) {
  return (div_up(walk.unit_steps, kTileSteps) * kTileSteps) * kStepRowBytes;
}

// As the tiles of packed/tiles.h for any number of rows: sums[rows][64] += the products of units first..last.
template <typename Kind>
void multiply_packed_registers(TileRegisters& registers, const ActivationRows& x, int64_t rows, const std::byte* panel,
                               const Walk& walk, int64_t first, int64_t last, std::byte* space, float* sums) {
  constexpr bool kBrains = Kind::kType == PackedType::bf16;
  // bf16 has no groups: one walk over all units.
  const int64_t stride = kBrains ? last - first : 1;
  for (int64_t unit = first; unit < last; unit += stride, panel += walk.unit_bytes) {
    const int64_t begin = unit * walk.unit_steps;
    const int64_t steps = std::min(stride * walk.unit_steps, walk.steps - begin);
    const std::byte* words = kBrains ? panel : panel + kPanelRows * 2;
    const int64_t whole = steps / kTileSteps;
    const bool partial = steps % kTileSteps != 0;
    if constexpr (kBrains) {
      if (partial) spread<Kind>(words + whole * kTileSteps * Kind::kStepBytes, steps % kTileSteps, space);
    } else if (partial || Kind::kType == PackedType::q4) {
      spread<Kind>(words, steps, space);
      words = space;
    }
    finish_writes();
    for (int64_t row = 0; row < rows; row += kMostTiledRows) {
      const int64_t count = std::min(kMostTiledRows, rows - row);
      registers.shape(count);
      const ActivationRows part = x.from(row);
      const std::byte* a = part.words + begin * 4;
      const auto multiply = [&](auto tall) {
        if constexpr (kBrains) {
          multiply_brain_registers<tall()>(a, part.row_bytes, words, whole, partial ? space : nullptr,
                                           sums + row * kPanelRows);
        } else {
          multiply_group_registers<Kind, tall()>(part, count, unit, a, words, div_up(steps, kTileSteps), panel,
                                                 sums + row * kPanelRows);
        }
      };
      if (count > kRegisterRows) {
        multiply(std::true_type());
      } else {
        multiply(std::false_type());
      }
    }
  }
}
#else
constexpr bool kPackedInTileRegisters = false;
#endif

}  // namespace
SENSORIUM_ISA_END
