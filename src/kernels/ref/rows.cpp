#include <algorithm>
#include <vector>

#include "kernels/check.h"
#include "kernels/ref/ref.h"

namespace sensorium::kernels::ref {

void gather_rows(const GatherRowsArgs& args) {
  check_index("gather_rows", args);
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t c = 0; c < args.cols; ++c) {
      const int64_t from = args.index[r];
      set(args.y, r * args.cols + c, from < 0 ? 0 : get(args.x, from * args.cols + c));
    }
  }
}

void scatter_add_rows(const GatherRowsArgs& args) {
  check_index("scatter_add_rows", args);
  for (int64_t r = 0; r < args.rows; ++r) {
    if (args.index[r] < 0) continue;
    for (int64_t c = 0; c < args.cols; ++c) {
      const int64_t to = args.index[r] * args.cols + c;
      set(args.y, to, get(args.y, to) + get(args.x, r * args.cols + c));
    }
  }
}

void segment_mean(const SegmentMeanArgs& args) {
  for (size_t i = 0; i + 1 < args.offsets.size(); ++i) {
    const int64_t first = args.offsets[i], last = args.offsets[i + 1];
    for (int64_t c = 0; c < args.cols; ++c) {
      double sum = 0;
      for (int64_t r = first; r < last; ++r) sum += get(args.x, r * args.cols + c);
      set(args.y, static_cast<int64_t>(i) * args.cols + c,
          sum / static_cast<double>(std::max<int64_t>(last - first, 1)));
    }
  }
}

void column_sum(const ColumnSumArgs& args) {
  for (int64_t c = 0; c < args.cols; ++c) {
    double sum = 0;
    for (int64_t r = 0; r < args.rows; ++r) sum += get(args.x, r * args.cols + c);
    args.out[c] = static_cast<float>(args.out[c] + sum);
  }
}

}  // namespace sensorium::kernels::ref
