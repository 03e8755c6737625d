// Cutting inputs into the patches that one matrix product embeds.
#pragma once

#include "tensor/tensor.h"

namespace sensorium::modality {

// Of a convolution without padding; what does not fill a window is left out.
struct PatchWindow {
  int64_t height = 1, width = 1;
  int64_t stride = 1;  // in both directions

  int64_t rows(int64_t input_height) const { return input_height < height ? 0 : (input_height - height) / stride + 1; }
  int64_t columns(int64_t input_width) const { return input_width < width ? 0 : (input_width - width) / stride + 1; }
};

// f32 [N, C, H, W] -> [N * rows * columns, C * height * width] in `dtype`: patches row by row, the values of each channel by
// channel, as a convolution's weight has them. Throws Error(shape).
Tensor cut_patches(const Tensor& input_NCHW, const PatchWindow& window, DType dtype);

}  // namespace sensorium::modality
