// Legend: P input positions of all pictures, Q output positions, C input channels, N output channels, K kernel side.
#include <memory>

#include "kernels/conv.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::Conv2dArgs;
using kernels::KernelTable;

Tensor conv2d(const Tensor& x_PC, const Pictures& pictures, const Tensor& weight_NKKC, const Tensor& bias_N,
              const ConvOptions& options, Pictures& output) {
  require_pictures(x_PC, pictures, "conv2d");
  require_rank(weight_NKKC, 4, "conv2d", "the weight");
  const int64_t in = x_PC.dim(1), out = weight_NKKC.dim(0), kernel = weight_NKKC.dim(1);
  require(options.stride >= 1 && options.padding >= 0, ErrorKind::shape, "conv2d: stride {} and padding {}",
          options.stride, options.padding);
  require(options.groups == 1 || (options.groups == in && out == in), ErrorKind::shape,
          "conv2d: groups must be 1, or equal to both input and output channels; they are {}, {} and {}",
          options.groups, in, out);
  require_shape(weight_NKKC, {out, kernel, kernel, in / options.groups}, "conv2d", "the weight");
  require(weight_NKKC.dtype() == DType::f32 || weight_NKKC.dtype() == DType::bf16, ErrorKind::shape,
          "conv2d: the weight is {}, expected f32 or bf16", name_of(weight_NKKC.dtype()));
  require(kernel >= 1, ErrorKind::shape, "conv2d: an empty kernel");
  if (bias_N.defined()) require_shape(bias_N, {out}, "conv2d", "the bias");

  Pictures sizes;
  for (size_t i = 0; i < pictures.count(); ++i) {
    const int64_t height = kernels::conv_output_size(pictures.heights[i], kernel, options.stride, options.padding);
    const int64_t width = kernels::conv_output_size(pictures.widths[i], kernel, options.stride, options.padding);
    require(height > 0 && width > 0, ErrorKind::shape,
            "conv2d: picture {} ({} x {}, padding {}) is smaller than the kernel {}", i, pictures.heights[i],
            pictures.widths[i], options.padding, kernel);
    sizes.heights.push_back(static_cast<int32_t>(height));
    sizes.widths.push_back(static_cast<int32_t>(width));
  }
  // `output` may be `pictures`: the sizes of the input are copied before it is written.
  const auto input = std::make_shared<const Pictures>(pictures);
  const int64_t positions = sizes.positions();
  output = std::move(sizes);

  const DType compute = x_PC.dtype();
  const auto make_args = [=](const Tensor& x, const Tensor& y, const Tensor& w, float* bias) {
    return Conv2dArgs{.heights = input->heights,
                      .widths = input->widths,
                      .in_channels = in,
                      .out_channels = out,
                      .kernel = kernel,
                      .stride = options.stride,
                      .padding = options.padding,
                      .groups = options.groups,
                      .x = view(x),
                      .y = view(y),
                      .w = view(w),
                      .bias = bias,
                      .compute = compute};
  };
  const Tensor y_QN = Tensor::empty({positions, out}, x_PC.dtype(), x_PC.device());
  {
    const Tensor bias = as_f32(bias_N);
    launch(&KernelTable::conv2d, x_PC, "conv2d",
           make_args(x_PC, y_QN, weight_NKKC, bias.defined() ? bias.data<float>() : nullptr));
  }
  if (!will_record({x_PC, weight_NKKC, bias_N})) return y_QN;

  return record(
      "conv2d", y_QN, {x_PC, weight_NKKC, bias_N}, [x_PC, weight_NKKC, bias_N, make_args, out](const Tensor& dy_QN) {
        std::vector<Tensor> grads(3);
        if (x_PC.requires_grad()) {
          grads[0] = Tensor::empty(x_PC.shape(), x_PC.dtype(), x_PC.device());
          launch(&KernelTable::conv2d_backward_input, x_PC, "conv2d", make_args(grads[0], dy_QN, weight_NKKC, nullptr));
        }
        const GradTarget bias(bias_N);
        if (weight_NKKC.requires_grad()) {
          const Tensor sum = is_leaf(weight_NKKC)
                                 ? grad_buffer(weight_NKKC)
                                 : Tensor::zeros(weight_NKKC.shape(), DType::f32, weight_NKKC.device());
          launch(&KernelTable::conv2d_backward_weight, x_PC, "conv2d", make_args(x_PC, dy_QN, sum, bias.data()));
          if (!is_leaf(weight_NKKC)) grads[1] = converted(sum, weight_NKKC.dtype());
        } else if (bias.data()) {
          launch(&KernelTable::column_sum, x_PC, "conv2d",
                 {.rows = dy_QN.dim(0), .cols = out, .x = view(dy_QN), .out = bias.data()});
        }
        grads[2] = bias.result();
        return grads;
      });
}

}  // namespace sensorium::ops
