#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN
namespace {

constexpr int64_t kColumnBlock = 64;  // columns of one task where rows must be added in order

int64_t rows_per_task(int64_t cols) { return 8192 / std::max<int64_t>(cols, 1) + 1; }

}  // namespace

void gather_rows(const GatherRowsArgs& args) {
  with_type(args.x.dtype, [&](auto* x_tag) {
    with_type(args.y.dtype, [&](auto* y_tag) {
      const auto* x = static_cast<const Pointee<decltype(x_tag)>*>(args.x.data);
      auto* y = static_cast<decltype(y_tag)>(args.y.data);
      parallel_for(args.rows, rows_per_task(args.cols), [&](int64_t begin, int64_t end, int) {
        for (int64_t r = begin; r < end; ++r) {
          const int64_t index = args.index[r];
          for (int64_t c = 0; c < args.cols; ++c) store(y, r * args.cols + c, index < 0 ? 0.0f : load(x, index * args.cols + c));
        }
      });
    });
  });
}

void scatter_add_rows(const GatherRowsArgs& args) {
  with_type(args.x.dtype, [&](auto* x_tag) {
    with_type(args.y.dtype, [&](auto* y_tag) {
      const auto* x = static_cast<const Pointee<decltype(x_tag)>*>(args.x.data);
      auto* y = static_cast<decltype(y_tag)>(args.y.data);
      // Threads share columns, not rows: every sum is made in the order of the rows.
      parallel_for((args.cols + kColumnBlock - 1) / kColumnBlock, 1, [&](int64_t begin, int64_t end, int) {
        const int64_t first = begin * kColumnBlock, last = std::min(args.cols, end * kColumnBlock);
        for (int64_t r = 0; r < args.rows; ++r) {
          const int64_t index = args.index[r];
          if (index < 0) continue;
          for (int64_t c = first; c < last; ++c) {
            store(y, index * args.cols + c, load(y, index * args.cols + c) + load(x, r * args.cols + c));
          }
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
    parallel_for(static_cast<int64_t>(args.offsets.size()) - 1, 1, [&](int64_t begin, int64_t end, int) {
      auto* sum = static_cast<float*>(thread_scratch(static_cast<size_t>(args.cols) * 4, 3));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = args.offsets[static_cast<size_t>(i)], last = args.offsets[static_cast<size_t>(i + 1)];
        std::memset(sum, 0, static_cast<size_t>(args.cols) * 4);
        for (int64_t r = first; r < last; ++r) {
          for (int64_t c = 0; c < args.cols; ++c) sum[c] += load(x, r * args.cols + c);
        }
        const float factor = last > first ? 1.0f / static_cast<float>(last - first) : 0.0f;
        for (int64_t c = 0; c < args.cols; ++c) store(y, i * args.cols + c, sum[c] * factor);
      }
    });
  });
}

void column_sum(const ColumnSumArgs& args) {
  constexpr int64_t kRowBlock = 256;
  const int64_t blocks = (args.rows + kRowBlock - 1) / kRowBlock;
  float* sums = block_sums(blocks, args.cols, 3);
  with_type(args.x.dtype, [&](auto* tag) {
    using T = Pointee<decltype(tag)>;
    const T* x = static_cast<const T*>(args.x.data);
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        float* sum = sums + block * args.cols;
        for (int64_t r = block * kRowBlock; r < std::min(args.rows, (block + 1) * kRowBlock); ++r) {
          for (int64_t c = 0; c < args.cols; ++c) sum[c] += load(x, r * args.cols + c);
        }
      }
    });
  });
  add_blocks(args.out, sums, blocks, args.cols);
}

SENSORIUM_ISA_END
