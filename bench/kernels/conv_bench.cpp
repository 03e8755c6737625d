// Convolutions of a picture stem and of a residual network, forward and both gradients, over pictures of different sizes.
#include <fmt/format.h>

#include <vector>

#include "base/rng.h"
#include "kernels/conv.h"
#include "kernels/isa.h"
#include "measure.h"

namespace sensorium::bench {
namespace {

struct Shape {
  int64_t in, out, kernel, stride;
  int32_t height, width;
  int pictures;
};

std::vector<bf16> random_values(int64_t count) {
  Rng rng(1);
  std::vector<bf16> values(static_cast<size_t>(count));
  for (bf16& value : values) value = bf16(static_cast<float>(rng.normal()));
  return values;
}

void run(const Shape& s) {
  std::vector<int32_t> heights, widths;
  int64_t in_rows = 0, out_rows = 0;
  const int64_t padding = s.kernel / 2;
  for (int i = 0; i < s.pictures; ++i) {
    heights.push_back(s.height + i % 3 - 1);
    widths.push_back(s.width + i % 5 - 2);
    in_rows += int64_t{heights.back()} * widths.back();
    out_rows += kernels::conv_output_size(heights.back(), s.kernel, s.stride, padding) *
                kernels::conv_output_size(widths.back(), s.kernel, s.stride, padding);
  }
  const int64_t weights = s.out * s.kernel * s.kernel * s.in;
  auto x = random_values(in_rows * s.in), y = random_values(out_rows * s.out), dx = x;
  std::vector<float> w(static_cast<size_t>(weights), 0.01f), dw = w;
  kernels::Conv2dArgs args;
  args.heights = heights;
  args.widths = widths;
  args.in_channels = s.in;
  args.out_channels = s.out;
  args.kernel = s.kernel;
  args.stride = s.stride;
  args.padding = padding;
  args.x = {x.data(), DType::bf16};
  args.y = {y.data(), DType::bf16};
  args.w = {w.data(), DType::f32};
  args.compute = DType::bf16;
  kernels::Conv2dArgs input = args, weight = args;
  input.x.data = dx.data();
  weight.w.data = dw.data();
  const double flops = 2.0 * static_cast<double>(out_rows) * static_cast<double>(weights);
  const kernels::KernelTable& table = kernels::cpu_kernels(kernels::active_isa());
  compare(fmt::format("{} x {} -> {}, {} x {} / {}, {} x {}", s.pictures, s.in, s.out, s.kernel, s.kernel, s.stride,
                      s.height, s.width),
          DType::bf16,
          {{"forward", flops, [&] { table.conv2d(args); }},
           {"gradient of the input", flops, [&] { table.conv2d_backward_input(input); }},
           {"gradient of the weight", flops, [&] { table.conv2d_backward_weight(weight); }}},
          1.0);
}

}  // namespace
}  // namespace sensorium::bench

int main() {
  const sensorium::bench::Shape shapes[] = {
      {3, 32, 3, 2, 240, 320, 8},   {3, 64, 7, 2, 160, 160, 8},   {32, 64, 3, 2, 80, 80, 16},
      {64, 64, 3, 1, 40, 40, 32},   {128, 128, 3, 1, 20, 20, 32}, {256, 256, 3, 1, 10, 10, 32},
      {128, 256, 3, 2, 20, 20, 32},
  };
  for (const auto& shape : shapes) sensorium::bench::run(shape);
}
