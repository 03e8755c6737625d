// 2-D convolution (cross-correlation) over a packed list of pictures of different sizes, channels last.
//
// Picture i has height[i] x width[i] positions; the rows of x hold its positions in row-major order, pictures one after
// another: x is [sum h*w, in_channels], y is [sum oh*ow, out_channels] with oh = (h + 2*padding - kernel) / stride + 1.
// The weight is [out_channels, kernel, kernel, in_channels / groups].
#pragma once

#include <cstdint>
#include <span>

#include "kernels/view.h"

namespace sensorium::kernels {

struct Conv2dArgs {
  std::span<const int32_t> heights, widths;  // of the input pictures
  int64_t in_channels = 0, out_channels = 0, kernel = 1, stride = 1, padding = 0;
  int64_t groups = 1;  // 1, or in_channels == out_channels == groups (depthwise)
  // forward: reads x, w, bias, writes y. backward_input: reads y (the gradient) and w, writes x. backward_weight: reads
  // x and y (the gradient), ADDS to w and bias (both f32 then; bias may be none).
  View x, y;                   // f32 or bf16
  View w;                      // f32 or bf16
  float* bias = nullptr;       // [out_channels]
  DType compute = DType::f32;  // f32, or bf16 products with f32 sums
};
void conv2d(const Conv2dArgs& args);
void conv2d_backward_input(const Conv2dArgs& args);
void conv2d_backward_weight(const Conv2dArgs& args);

// Output positions along one side; 0 if the kernel does not fit.
constexpr int64_t conv_output_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  return size + 2 * padding < kernel ? 0 : (size + 2 * padding - kernel) / stride + 1;
}

}  // namespace sensorium::kernels
