// Bilinear resizing of a map of features.
#pragma once

#include "tensor/tensor.h"

namespace sensorium::modality {

struct Extent {
  int64_t height = 0, width = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

// [from.height * from.width, C], row by row -> [to.height * to.width, C]; f32 or bf16, computed in f32. Samples at the centres
// of the result's cells, without smoothing. Reference: torch.nn.functional.interpolate(mode="bilinear"). Throws
// Error(shape) for sizes that are not positive or do not fit the rows.
Tensor resize_map(const Tensor& map_TC, Extent from, Extent to);

}  // namespace sensorium::modality
