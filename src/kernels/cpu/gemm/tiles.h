// All tiles of a product, dealt out to the threads. Chunks of a panel of B stay in the L2 cache while the tiles of a
// block of rows pass over them; sums that go on in the next chunk wait in memory, so that every sum has the same order
// of additions however the work is cut.
#pragma once

#include "kernels/cpu/gemm/pack.h"
#include "kernels/cpu/gemm/tile_registers.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kChunkGroups = 512;       // 128 KB of a panel
constexpr int64_t kSmallChunkGroups = 128;  // of products with one block of rows: 32 KB, which the L1 cache holds
constexpr int64_t kMostPanels = 4;          // of a task
constexpr int kScratchB = 0, kScratchA = 1, kScratchTask = 2;  // slots

// Panels of B [panel][group][kColumns]; or, without `panels`, B itself, of which every task packs what it needs.
struct PanelsOfB {
  const uint32_t* panels = nullptr;
  GemmOperand source;
};

// Calls finish(row, column, rows, columns, sums[rows][kColumns]) for every tile of C. `alone`: on the calling thread.
template <typename Products, typename Finish>
void for_tiles(int64_t m, int64_t n, int64_t k, const RowsOfA& a, const PanelsOfB& b, bool alone,
               const Finish& finish) {
  using Sum = typename Products::Sum;
  const int64_t groups = group_count<Products>(k), panels = div_up(n, kColumns), blocks = div_up(m, kRowBlock);
  const int64_t chunk = blocks == 1 ? kSmallChunkGroups : kChunkGroups,
                chunks = std::max<int64_t>(div_up(groups, chunk), 1);
  // Enough tasks that the threads end together; several panels in one, so that A's rows stay in the L2 cache for them.
  const int64_t width =
      blocks == 1 ? 1 : std::clamp<int64_t>(panels * blocks / (8 * thread_count()), 1, std::min(kMostPanels, panels));
  const int64_t tasks = div_up(panels, width) * blocks;
  const bool waiting = chunks > 1;  // sums of a task outlive a chunk
  parallel_for(tasks, alone ? tasks : 1, [&](int64_t begin, int64_t end, int) {
    const int64_t sums_count = waiting ? width * kRowBlock * kColumns : kMostTileRows<Products> * kColumns;
    [[maybe_unused]] TileRegisters registers;
    const int64_t packed_count = b.panels == nullptr ? std::min(chunk, groups) * kColumns : 0;
    auto* packed =
        static_cast<uint32_t*>(thread_scratch(static_cast<size_t>(sums_count + packed_count) * 4, kScratchTask));
    auto* sums = reinterpret_cast<Sum*>(packed + packed_count);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first_row = task % blocks * kRowBlock, last_row = std::min(m, first_row + kRowBlock);
      const int64_t first_panel = task / blocks * width, last_panel = std::min(panels, first_panel + width);
      for (int64_t c = 0; c < chunks; ++c) {
        const int64_t g0 = c * chunk, g1 = std::min(groups, g0 + chunk);
        for (int64_t panel = first_panel; panel < last_panel; ++panel) {
          const int64_t column = panel * kColumns, columns = std::min(kColumns, n - column);
          const uint32_t* words = packed;
          const char* prefetch = nullptr;  // the next chunk of this task
          if (b.panels != nullptr) {
            words = b.panels + (panel * groups + g0) * kColumns;
            const uint32_t* next = panel + 1 < last_panel ? words + groups * kColumns
                                   : c + 1 < chunks       ? b.panels + (first_panel * groups + g1) * kColumns
                                                          : nullptr;
            prefetch = reinterpret_cast<const char*>(next);
          } else {
            with_type_of<Products>(b.source.dtype, [&](auto* tag) {
              using T = std::remove_const_t<Pointee<decltype(tag)>>;
              pack_panel<Products>(static_cast<const T*>(b.source.data), b.source.row_stride, b.source.col_stride, k,
                                   column, columns, g0, g1, packed);
            });
          }
          // Of a tile: a line per group and pass.
          const int64_t prefetch_bytes = (g1 - g0) * 64 * (kInTileRegisters<Products> ? div_up(columns, 32) : 1);
          const char* prefetch_end = prefetch == nullptr ? nullptr : prefetch + kColumns * 4 * (g1 - g0);
          Sum* tile_sums = sums + (waiting ? (panel - first_panel) * kRowBlock * kColumns : 0);
          for (int64_t row = first_row; row < last_row;) {
            const int64_t rows = next_tile_of<Products>(last_row - row);
            TileRows tile = a.tile(row, rows);
            tile.data += g0 * tile.group_bytes;
            if constexpr (kInTileRegisters<Products>) {
              multiply_tile_registers<Products>(registers, tile, rows, columns, words, g1 - g0, prefetch, c > 0,
                                                tile_sums);
            } else {
              kMicroKernels<Products>[rows - 1](tile, words, g1 - g0, prefetch, c > 0, tile_sums);
            }
            if (c + 1 == chunks) finish(row, column, rows, columns, tile_sums);
            if (waiting) tile_sums += rows * kColumns;
            if (prefetch != nullptr && (prefetch += prefetch_bytes) >= prefetch_end) prefetch = nullptr;
            row += rows;
          }
        }
      }
    }
  });
}

// One row of a tile to C.
template <typename T>
void store_row(const GemmArgs& args, int64_t row, int64_t column, int64_t columns, const float* sums) {
  T* c = static_cast<T*>(args.c) + row * args.ldc + column;
  const float* bias = args.bias == nullptr ? nullptr : args.bias + column;
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    Floats v = get(sums + i);
    if (bias != nullptr) v += get(bias + i);
    if (args.accumulate) v += get(c + i);
    put(c + i, v);
  }
  if (i < columns) {
    Floats v = get(sums + i);
    if (bias != nullptr) v += get(bias + i, columns - i);
    if (args.accumulate) v += get(c + i, columns - i);
    put(c + i, v, columns - i);
  }
}
inline void store_tile(const GemmArgs& args, int64_t row, int64_t column, int64_t rows, int64_t columns,
                       const float* sums) {
  with_type(args.c_dtype, [&](auto* tag) {
    for (int64_t r = 0; r < rows; ++r)
      store_row<Pointee<decltype(tag)>>(args, row + r, column, columns, sums + r * kColumns);
  });
}

}  // namespace
SENSORIUM_ISA_END
