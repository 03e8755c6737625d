// Micro-kernels of packed weights: up to 6 rows of activations times a panel of 64 rows of weights.
#pragma once

#include <type_traits>

#include "kernels/cpu/gemm/tiles.h"
#include "kernels/cpu/packed/activations.h"

SENSORIUM_ISA_BEGIN
namespace {

// How a panel is walked along K, in units that a task may be cut at: groups; bf16 has none, so runs of steps.
struct Walk {
  int64_t steps = 0, unit_steps = 0;
  int64_t unit_bytes = 0;  // scales included
  int64_t units() const { return div_up(steps, unit_steps); }
};
constexpr int64_t kBrainUnit = 64;  // steps: 16 KB

template <typename Kind>
Walk walk_of(const PackedLayout& layout) {
  if constexpr (Kind::kType == PackedType::bf16) {
    return {layout.steps(), kBrainUnit, kBrainUnit * Kind::kStepBytes};
  } else {
    return {layout.steps(), layout.group / layout.step_values(), layout.group_bytes()};
  }
}

// Memory that is needed soon: a tile asks for a cache line of it per step, as far as its steps reach.
struct Ahead {
  const std::byte *next = nullptr, *end = nullptr;
  bool empty() const { return next >= end; }
  SENSORIUM_VECTOR void ask() {
    __builtin_prefetch(next, 0, 2);
    next = next < end ? next + 64 : next;
  }
};

// sums[rows][64] += the products of units first..last, whose bytes begin at `panel` (= if the first is 0); each group's sum of
// integers goes to f32 once. `ahead` moves on.
template <typename Kind, int kRows>
void multiply_tile(const ActivationRows& x, const std::byte* panel, const Walk& walk, int64_t first, int64_t last,
                   Ahead& ahead, float* sums) {
  const int64_t row_bytes = x.row_bytes, rows = x.rows, unit_bytes = walk.unit_bytes;
  for (int pass = 0; pass < kPasses; ++pass) {
    const std::byte* unit = panel;
    for (int64_t g = first; g < last; ++g, unit += unit_bytes) {
      const std::byte* step = unit + kPanelRows * 2;
      const int64_t steps = std::min(walk.unit_steps, walk.steps - g * walk.unit_steps);
      const std::byte* a = x.words + g * walk.unit_steps * 4;
      const float* scales = x.scales + g * rows;
      const int32_t* starts = x.starts + g * rows;
      Ints c[kRows][kPassVectors];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Ints start = (Ints)splat(static_cast<uint32_t>(starts[r]));
#pragma GCC unroll 4
        for (int v = 0; v < kPassVectors; ++v) c[r][v] = start;
      }
      const auto walk_steps = [&](auto ask) {
        Ahead asked = ahead;  // in registers
        for (int64_t s = 0; s < steps; ++s, step += Kind::kStepBytes, a += 4) {
          if constexpr (ask()) asked.ask();
          Words w[kPassVectors];
          Kind::load(step, pass, w);
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            uint32_t word;
            std::memcpy(&word, a + r * row_bytes, 4);
            const SignedBytes bytes(word);
#pragma GCC unroll 4
            for (int v = 0; v < kPassVectors; ++v) c[r][v] = add_byte_products(c[r][v], w[v], bytes);
          }
        }
        ahead = asked;
      };
      if (ahead.empty()) {
        walk_steps(std::false_type());
      } else {
        walk_steps(std::true_type());
      }
      // Keeps the compiler from holding the sums of all groups in registers, which would have to leave for the stack and be
      // stored twice.
      asm volatile("" ::: "memory");
      const auto add_group = [&](auto starts_sum) {
#pragma GCC unroll 4
        for (int v = 0; v < kPassVectors; ++v) {
          const Floats scale = widen_half(load_shorts(unit + first_row(pass, v) * 2));
          float* to = sums + first_row(pass, v);
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            const Floats value = __builtin_convertvector(c[r][v], Floats) * broadcast(scales[r]);
            const Floats before = starts_sum() ? Floats{} : get(to + r * kPanelRows);
            put(to + r * kPanelRows, multiply_add(before, value, scale));
          }
        }
      };
      if (g == 0) {
        add_group(std::true_type());
      } else {
        add_group(std::false_type());
      }
    }
  }
}

template <int kRows>
void multiply_brain_tile(const ActivationRows& x, const std::byte* panel, const Walk& walk, int64_t first, int64_t last,
                         Ahead& ahead, float* sums) {
  const int64_t begin = first * walk.unit_steps, end = std::min(last * walk.unit_steps, walk.steps);
  const int64_t row_bytes = x.row_bytes;
  for (int pass = 0; pass < kPasses; ++pass) {
    Floats c[kRows][kPassVectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kPassVectors; ++v)
        c[r][v] = first == 0 ? Floats{} : get(sums + r * kPanelRows + first_row(pass, v));
    }
    const std::byte* step = panel;
    const std::byte* a = x.words + begin * 4;
    const auto walk_steps = [&](auto ask) {
      Ahead asked = ahead;
      for (int64_t s = begin; s < end; ++s, step += Brains::kStepBytes, a += 4) {
        if constexpr (ask()) asked.ask();
        Words w[kPassVectors];
        Brains::load(step, pass, w);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          uint32_t word;
          std::memcpy(&word, a + r * row_bytes, 4);
          const Words row = splat(word);
#pragma GCC unroll 4
          for (int v = 0; v < kPassVectors; ++v) c[r][v] = add_brain_products(c[r][v], w[v], row);
        }
      }
      ahead = asked;
    };
    if (ahead.empty()) {
      walk_steps(std::false_type());
    } else {
      walk_steps(std::true_type());
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kPassVectors; ++v) put(sums + r * kPanelRows + first_row(pass, v), c[r][v]);
    }
  }
}

using PackedTile = void (*)(const ActivationRows&, const std::byte*, const Walk&, int64_t, int64_t, Ahead&, float*);
template <typename Kind>
constexpr PackedTile kPackedTiles[kTileRows] = {multiply_tile<Kind, 1>, multiply_tile<Kind, 2>, multiply_tile<Kind, 3>,
                                                multiply_tile<Kind, 4>, multiply_tile<Kind, 5>, multiply_tile<Kind, 6>};
template <>
constexpr PackedTile kPackedTiles<Brains>[kTileRows] = {multiply_brain_tile<1>, multiply_brain_tile<2>,
                                                        multiply_brain_tile<3>, multiply_brain_tile<4>,
                                                        multiply_brain_tile<5>, multiply_brain_tile<6>};

}  // namespace
SENSORIUM_ISA_END
