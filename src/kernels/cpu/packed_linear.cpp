// Products with packed weights, and rows of them.
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/functions.h"
#include "kernels/cpu/packed/tile_registers.h"
#include "kernels/cpu/packed/tiles.h"

SENSORIUM_ISA_BEGIN
namespace {

// Bytes of a panel that stay in a cache while tiles of activations pass over them: L2 where several blocks of rows come, else
// L1. One tile reads a panel once, in one piece.
constexpr int64_t kChunkBytes = 128 << 10, kSmallChunkBytes = 24 << 10;
// Panels that one thread takes at a time where each is read once: memory runs fastest in long stretches.
constexpr int64_t kRunsPerThread = 8;

// Where the results of a task go: `rows` rows from `row` on, `columns` columns from `column` on.
struct Place {
  int64_t row, rows, column, columns;
};

// sums[panels][rows][64] to y.
template <typename T, typename Fn>
void store_sums(const PackedLinearArgs& args, const Place& at, const float* sums, const Fn& activation) {
  for (int64_t r = 0; r < at.rows; ++r) {
    T* y = static_cast<T*>(args.y.data) + at.column + (at.row + r) * args.y_stride;
    for (int64_t c = 0; c < at.columns; c += kLanes) {
      const int64_t count = std::min<int64_t>(kLanes, at.columns - c);
      Floats v = get(sums + (c / kPanelRows * at.rows + r) * kPanelRows + c % kPanelRows);
      if (args.bias != nullptr) {
        const float* bias = args.bias + at.column + c;
        v += count == kLanes ? get(bias) : get(bias, count);
      }
      v = activation(v);
      if (count == kLanes) {
        put(y + c, v);
      } else {
        put(y + c, v, count);
      }
    }
  }
}

void store_task(const PackedLinearArgs& args, const Place& at, const float* sums) {
  with_type(args.y.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    if (!args.activation) return store_sums<T>(args, at, sums, [](Floats v) { return v; });
    with_function(*args.activation, [&](auto function) {
      store_sums<T>(args, at, sums, [](Floats v) { return decltype(function)::value(v); });
    });
  });
}

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
  const int64_t cached = (blocks > 1 ? kChunkBytes : kSmallChunkBytes) / walk.unit_bytes;  // units
  const int64_t chunks = args.m <= kTileRows ? 1 : div_up(walk.units(), std::max<int64_t>(cached, 1));
  const int64_t chunk = div_up(walk.units(), std::max<int64_t>(chunks, 1));
  const int64_t width =
      blocks == 1 ? 1 : std::clamp<int64_t>(panels * blocks / (8 * thread_count()), 1, std::min(kMostPanels, panels));
  const int64_t tasks = div_up(panels, width) * blocks;
  const int64_t grain = alone         ? tasks
                        : blocks == 1 ? std::max<int64_t>(tasks / (kRunsPerThread * thread_count()), 1)
                                      : 1;
  const int64_t sums_rows = width * std::min(args.m, kRowBlock);
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end, int) {
    [[maybe_unused]] TileRegisters registers;
    auto* sums =
        static_cast<float*>(thread_scratch(static_cast<size_t>(sums_rows * kPanelRows) * sizeof(float), kScratchSums));
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row_begin = task % blocks * kRowBlock, rows = std::min(args.m - row_begin, kRowBlock);
      const int64_t panel_begin = task / blocks * width, panel_end = std::min(panels, panel_begin + width);
      const ActivationRows block = x.from(row_begin);
      const std::byte* panels_data = args.w.data + panel_begin * layout.panel_bytes();
      if (walk.units() == 0) std::fill_n(sums, sums_rows * kPanelRows, 0.0f);  // what no chunk starts
      for (int64_t first = 0; first < walk.units(); first += chunk) {
        const int64_t last = std::min(walk.units(), first + chunk);
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          const std::byte* data = panels_data + (panel - panel_begin) * layout.panel_bytes() + first * walk.unit_bytes;
          float* to = sums + (panel - panel_begin) * rows * kPanelRows;
          if constexpr (kPackedInTileRegisters) {
            if (Kind::kType == PackedType::bf16 || rows > kTileRows) {
              if (first == 0) std::memset(to, 0, static_cast<size_t>(rows * kPanelRows) * sizeof(float));
              auto* space =
                  static_cast<std::byte*>(thread_scratch(static_cast<size_t>(spread_bytes<Kind>(walk)), kScratchTask));
              multiply_packed_registers<Kind>(registers, block, rows, data, walk, first, last, space, to);
              continue;
            }
          }
          // The tiles of the first panel ask for the rows of the tile behind them; the others for the chunk of weights that
          // comes next, each for a part of it; a single tile is too short for that.
          const bool new_rows = panel == panel_begin && first == 0;
          Ahead weights;
          if (rows > kTileRows && !new_rows) {
            weights.next = panel + 1 < panel_end ? data + layout.panel_bytes()
                           : last < walk.units() ? panels_data + last * walk.unit_bytes
                                                 : data + (layout.panel_bytes() - first * walk.unit_bytes);
            weights.end = std::min(weights.next + (last - first) * walk.unit_bytes, args.w.data + layout.bytes());
          }
          for (int64_t row = 0, count; row < rows; row += count) {
            count = next_tile(rows - row);
            Ahead following{block.words + (row + count) * block.row_bytes, nullptr};
            following.end = following.next + std::min(rows - row - count, kTileRows) * block.row_bytes;
            kPackedTiles<Kind>[count - 1](block.from(row), data, walk, first, last, new_rows ? following : weights,
                                          to + row * kPanelRows);
          }
        }
      }
      const int64_t column = panel_begin * kPanelRows;
      const int64_t columns = std::min(layout.n, panel_end * kPanelRows) - column;
      store_task(args, {row_begin, rows, column, columns}, sums);
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
