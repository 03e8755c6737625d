// Row selection and row reductions.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/view.h"

namespace sensorium::kernels {

// gather_rows: y[i] = x[index[i]]; index -1 gives a row of zeros. scatter_add_rows: y[index[i]] += x[i] (y f32 or bf16;
// -1 is skipped; the order of additions is fixed).
struct GatherRowsArgs {
  int64_t rows = 0, cols = 0;  // rows = length of index
  const int32_t* index = nullptr;
  int64_t other_rows = 0;  // rows of the indexed side, for bounds
  ConstView x;
  View y;
};
void gather_rows(const GatherRowsArgs& args);
void scatter_add_rows(const GatherRowsArgs& args);

// y[i] = mean of the rows offsets[i]..offsets[i+1] of x (zero rows: zeros).
struct SegmentMeanArgs {
  std::span<const int64_t> offsets;
  int64_t cols = 0;
  ConstView x;
  View y;
};
void segment_mean(const SegmentMeanArgs& args);

// out[c] += sum over rows of x[r][c]: the gradient of a bias.
struct ColumnSumArgs {
  int64_t rows = 0, cols = 0;
  ConstView x;
  float* out = nullptr;
};
void column_sum(const ColumnSumArgs& args);

}  // namespace sensorium::kernels
