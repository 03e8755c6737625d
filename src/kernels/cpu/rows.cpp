#include <algorithm>

#include "kernels/check.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/simd.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kGrain = 16384;      // elements of a task
constexpr int64_t kColumnBlock = 128;  // columns of a task where rows must be added in order
constexpr int64_t kMaxRowBlocks = 64;
constexpr int kScratch = 7;

int64_t rows_per_task(int64_t cols) { return kGrain / (cols + 1) + 1; }

// fn(first, count) for blocks of columns, shared by the threads.
template <typename Fn>
void for_column_blocks(int64_t cols, const Fn& fn) {
  parallel_for((cols + kColumnBlock - 1) / kColumnBlock, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      fn(block * kColumnBlock, std::min(kColumnBlock, cols - block * kColumnBlock));
    }
  });
}

}  // namespace

void gather_rows(const GatherRowsArgs& args) {
  check_index("gather_rows", args);
  const int64_t cols = args.cols;
  with_any_type(args.x.dtype, [&](auto* x_tag) {
    with_any_type(args.y.dtype, [&](auto* y_tag) {
      const auto* x = static_cast<const Pointee<decltype(x_tag)>*>(args.x.data);
      auto* y = static_cast<decltype(y_tag)>(args.y.data);
      parallel_for(args.rows, rows_per_task(cols), [&](int64_t begin, int64_t end, int) {
        for (int64_t r = begin; r < end; ++r) {
          if (args.index[r] < 0) {
            map(cols, y + r * cols, [] { return Floats{}; });
          } else if constexpr (std::is_same_v<decltype(x_tag), decltype(y_tag)>) {
            std::memcpy(y + r * cols, x + args.index[r] * cols, static_cast<size_t>(cols) * sizeof(*y));
          } else {
            map(
                cols, y + r * cols, [](Floats v) { return v; }, x + args.index[r] * cols);
          }
        }
      });
    });
  });
}

// Threads share columns, not rows: every sum is made in the order of the rows.
void scatter_add_rows(const GatherRowsArgs& args) {
  check_index("scatter_add_rows", args);
  with_type(args.x.dtype, [&](auto* x_tag) {
    with_type(args.y.dtype, [&](auto* y_tag) {
      const auto* x = static_cast<const Pointee<decltype(x_tag)>*>(args.x.data);
      auto* y = static_cast<decltype(y_tag)>(args.y.data);
      for_column_blocks(args.cols, [&](int64_t first, int64_t count) {
        for (int64_t r = 0; r < args.rows; ++r) {
          if (args.index[r] < 0) continue;
          auto* to = y + args.index[r] * args.cols + first;
          map(
              count, to, [](Floats a, Floats b) { return a + b; }, to, x + r * args.cols + first);
        }
      });
    });
  });
}

void segment_mean(const SegmentMeanArgs& args) {
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const T* x = static_cast<const T*>(args.x.data);
    T* y = static_cast<T*>(args.y.data);
    const int64_t segments = static_cast<int64_t>(args.offsets.size()) - 1;
    const int64_t blocks = (args.cols + kColumnBlock - 1) / kColumnBlock;
    parallel_for(segments * blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const auto segment = static_cast<size_t>(task / blocks);
        const int64_t column = task % blocks * kColumnBlock, count = std::min(kColumnBlock, args.cols - column);
        const int64_t first = args.offsets[segment], rows = args.offsets[segment + 1] - first;
        float sums[kColumnBlock];
        sum_columns(x + first * args.cols + column, rows, args.cols, count, sums);
        const float factor = 1.0f / static_cast<float>(std::max<int64_t>(rows, 1));
        map(
            count, y + static_cast<int64_t>(segment) * args.cols + column, [=](Floats v) { return v * factor; }, sums);
      }
    });
  });
}

void column_sum(const ColumnSumArgs& args) {
  if (args.rows == 0) return;
  const int64_t cols = args.cols;
  const int64_t size = std::max((args.rows + kMaxRowBlocks - 1) / kMaxRowBlocks, rows_per_task(cols));
  const int64_t blocks = (args.rows + size - 1) / size;
  auto* sums = static_cast<float*>(thread_scratch(static_cast<size_t>(blocks * cols) * sizeof(float), kScratch));
  with_type(args.x.dtype, [&](auto* tag) {
    const auto* x = static_cast<const Pointee<decltype(tag)>*>(args.x.data);
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        sum_columns(x + block * size * cols, std::min(size, args.rows - block * size), cols, cols, sums + block * cols);
      }
    });
  });
  for (int64_t block = 0; block < blocks; ++block) {
    map(
        cols, args.out, [](Floats a, Floats b) { return a + b; }, args.out, sums + block * cols);
  }
}

SENSORIUM_ISA_END
