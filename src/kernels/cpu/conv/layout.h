// Where the pictures of a packed list lie, on both sides of a convolution.
#pragma once

#include <algorithm>

#include "kernels/cpu/isa.h"

SENSORIUM_ISA_BEGIN

enum class Depthwise { forward, backward_input, backward_weight };
void depthwise(const Conv2dArgs& args, Depthwise direction);

namespace {

constexpr int kLayoutScratch = 7;

// First rows of every picture, in the calling thread's scratch.
struct Layout {
  const Conv2dArgs& args;
  int64_t pictures;
  int64_t* in;   // pictures + 1
  int64_t* out;  // pictures + 1

  explicit Layout(const Conv2dArgs& a) : args(a), pictures(static_cast<int64_t>(a.heights.size())) {
    in = static_cast<int64_t*>(
        thread_scratch(static_cast<size_t>(2 * (pictures + 1)) * sizeof(int64_t), kLayoutScratch));
    out = in + pictures + 1;
    in[0] = out[0] = 0;
    for (int64_t i = 0; i < pictures; ++i) {
      in[i + 1] = in[i] + int64_t{height(i)} * width(i);
      out[i + 1] = out[i] + out_height(i) * out_width(i);
    }
  }
  int32_t height(int64_t i) const { return args.heights[static_cast<size_t>(i)]; }
  int32_t width(int64_t i) const { return args.widths[static_cast<size_t>(i)]; }
  int64_t out_height(int64_t i) const { return conv_output_size(height(i), args.kernel, args.stride, args.padding); }
  int64_t out_width(int64_t i) const { return conv_output_size(width(i), args.kernel, args.stride, args.padding); }
  int64_t in_rows() const { return in[pictures]; }
  int64_t out_rows() const { return out[pictures]; }
  int64_t patch() const { return args.kernel * args.kernel * args.in_channels; }
};

}  // namespace
SENSORIUM_ISA_END
