// Products with packed weights, and rows of them.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/packed/tile_registers.h"
#include "kernels/cpu/packed/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

// Bytes of a panel that stay in a cache while tiles of activations pass over them: L2 where several blocks of rows come, else
// L1. One tile reads a panel once, in one piece.
constexpr int64_t kChunkBytes = 128 << 10, kSmallChunkBytes = 24 << 10;
// Panels that one thread takes at a time where each is read once: memory runs fastest in long stretches.
constexpr int64_t kRunsPerThread = 8;

template <typename Kind>
void multiply_packed(const PackedLinearArgs& args) {
  const PackedLayout& layout = args.w.layout;
  const bool alone = args.m * layout.n * layout.k <= (int64_t{1} << 21);
  ActivationRows x;
  if constexpr (Kind::kType == PackedType::bf16) {
    x = brain_rows(args, alone);
  } else {
    x = quantize_rows(args, Kind::kZero, alone || args.m < 8);
  }
  const Walk walk = walk_of<Kind>(layout);
  const int64_t blocks = div_up(args.m, kRowBlock), panels = layout.panels();
  const int64_t chunk = args.m <= kTileRows
                            ? walk.units()
                            : std::max<int64_t>((blocks > 1 ? kChunkBytes : kSmallChunkBytes) / walk.unit_bytes, 1);
  const int64_t width =
      blocks == 1 ? 1 : std::clamp<int64_t>(panels * blocks / (8 * thread_count()), 1, std::min(kMostPanels, panels));
  const int64_t tasks = div_up(panels, width) * blocks;
  const GemmArgs out{.m = args.m,
                     .n = layout.n,
                     .k = layout.k,
                     .a = {},
                     .b = {},
                     .c = args.y.data,
                     .c_dtype = args.y.dtype,
                     .ldc = args.y_stride,
                     .bias = args.bias};
  const int64_t grain = alone         ? tasks
                        : blocks == 1 ? std::max<int64_t>(tasks / (kRunsPerThread * thread_count()), 1)
                                      : 1;
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end, int) {
    [[maybe_unused]] TileRegisters registers;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row_begin = task % blocks * kRowBlock, row_end = std::min(args.m, row_begin + kRowBlock);
      const int64_t panel_begin = task / blocks * width, panel_end = std::min(panels, panel_begin + width);
      const int64_t rows = row_end - row_begin, panel_sums = rows * kPanelRows;
      const std::byte* panels_data = args.w.data + panel_begin * layout.panel_bytes();
      const size_t bytes = static_cast<size_t>((panel_end - panel_begin) * panel_sums) * sizeof(float);
      auto* sums = static_cast<float*>(thread_scratch(bytes, kScratchSums));
      std::memset(sums, 0, bytes);
      for (int64_t first = 0; first < walk.units(); first += chunk) {
        const int64_t last = std::min(walk.units(), first + chunk);
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          const std::byte* data = panels_data + (panel - panel_begin) * layout.panel_bytes() + first * walk.unit_bytes;
          float* to = sums + (panel - panel_begin) * panel_sums;
          // Tiles ask for the chunk that comes next, each for a part of it; a single tile is too short for that.
          const int64_t chunk_bytes = (last - first) * walk.unit_bytes;
          const int64_t tile_bytes = (last - first) * walk.unit_steps * 64;
          const std::byte* next = panel + 1 < panel_end ? data + layout.panel_bytes()
                                  : last < walk.units() ? panels_data + last * walk.unit_bytes
                                                        : data + (layout.panel_bytes() - first * walk.unit_bytes);
          const std::byte* next_end = std::min(next + chunk_bytes, args.w.data + layout.bytes());
          if (rows <= kTileRows) next = next_end;
          if constexpr (kPackedInTileRegisters) {
            if (Kind::kType == PackedType::bf16 || rows > kTileRows) {
              auto* space =
                  static_cast<std::byte*>(thread_scratch(static_cast<size_t>(spread_bytes<Kind>(walk)), kScratchTask));
              multiply_packed_registers<Kind>(registers, x.from(row_begin), rows, data, walk, first, last, space, to);
              continue;
            }
          }
          for (int64_t row = 0; row < rows;) {
            const int64_t count = next_tile(rows - row);
            kPackedTiles<Kind>[count - 1](x.from(row_begin + row), data, walk, first, last,
                                          next < next_end ? next : nullptr, to + row * kPanelRows);
            next = std::min(next + tile_bytes, next_end);
            row += count;
          }
        }
      }
      with_type(args.y.dtype, [&](auto* tag) {
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          const int64_t column = panel * kPanelRows, columns = std::min(kPanelRows, layout.n - column);
          const float* from = sums + (panel - panel_begin) * panel_sums;
          for (int64_t row = 0; row < rows; ++row)
            store_row<Pointee<decltype(tag)>>(out, row_begin + row, column, columns, from + row * kPanelRows);
        }
      });
    }
  });
}

// The values of one row of a packed matrix.
template <typename T>
void unpack_row(const PackedWeightView& w, int64_t row, T* out) {
  const PackedLayout& layout = w.layout;
  const std::byte* at = w.data + row / kPanelRows * layout.panel_bytes();
  const int64_t r = row % kPanelRows;
  if (layout.type == PackedType::bf16) {
    for (int64_t i = 0; i < layout.k; ++i) {
      Brain value;
      std::memcpy(&value, at + i / 2 * layout.step_bytes() + r * 4 + i % 2 * 2, 2);
      store(out, i, load(&value, 0));
    }
    return;
  }
  const bool four = layout.type == PackedType::q4;
  const int64_t word = four ? r / 32 * 16 + r % 16 : r;
  const int shift = four && r % 32 >= 16 ? 4 : 0, mask = four ? 15 : 255, zero = four ? 8 : 128;
  for (int64_t g = 0; g < layout.groups(); ++g, at += layout.group_bytes()) {
    Half half;
    std::memcpy(&half, at + r * 2, 2);
    const float scale = load(&half, 0);
    const std::byte* from = at + layout.scale_bytes() + word * 4;
    const int64_t first = g * layout.group, last = std::min(layout.k, first + layout.group);
    for (int64_t i = first; i < last; ++i) {
      const int bits = std::to_integer<int>(from[(i - first) / 4 * layout.step_bytes() + i % 4]) >> shift & mask;
      store(out, i, static_cast<float>(bits - zero) * scale);
    }
  }
}

}  // namespace

void packed_linear(const PackedLinearArgs& args) {
  if (args.m == 0 || args.w.layout.n == 0) return;
  switch (args.w.layout.type) {
    case PackedType::bf16:
      return multiply_packed<Brains>(args);
    case PackedType::q8:
      return multiply_packed<EightBits>(args);
    case PackedType::q4:
      return multiply_packed<FourBits>(args);
  }
}

void unpack_rows(const UnpackRowsArgs& args) {
  const int64_t k = args.w.layout.k;
  with_type(args.out.dtype, [&](auto* tag) {
    auto* out = static_cast<decltype(tag)>(args.out.data);
    parallel_for(args.count, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = args.rows == nullptr ? i : args.rows[i];
        if (row >= 0) {
          unpack_row(args.w, row, out + i * k);
        } else {
          std::fill_n(out + i * k, k, Pointee<decltype(tag)>{});
        }
      }
    });
  });
}

SENSORIUM_ISA_END
