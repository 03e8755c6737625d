// Writing keys or values into a page of a cache.
#pragma once

#include <cstdint>

#include "kernels/view.h"

namespace sensorium::kernels {

// Rows x [rows, heads, head_dim] (f32 or bf16) become rows `first`.. of a page [heads, page_rows, head_dim] (f32, bf16, f16 or
// i8). Floats are rounded to nearest even. i8: a row of one head is scaled by the largest magnitude in it, element = round(x /
// scale), scale = largest / 127; the scale of a row that holds NaN or infinity is NaN.
struct StoreKvRowsArgs {
  int64_t rows = 0, heads = 0, head_dim = 0;
  ConstView x;
  int64_t x_row_stride = 0;  // elements
  View page;
  float* scales = nullptr;  // i8: [heads, page_rows]
  int64_t page_rows = 0, first = 0;
};
void store_kv_rows(const StoreKvRowsArgs& args);

}  // namespace sensorium::kernels
