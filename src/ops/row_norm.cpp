// RMSNorm and LayerNorm over the last dimension.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;
using kernels::KernelTable;
using kernels::RowNormArgs;

RowNormArgs make_args(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  return {.rows = leading_rows(x),
          .cols = last_dim(x),
          .x = view(x),
          .weight = f32_data(weight),
          .bias = f32_data(bias),
          .eps = eps};
}

void check(const char* op, const Tensor& x, const Tensor& weight) {
  require_activation(x, op, "x");
  require(x.rank() >= 1, ErrorKind::shape, "{}: x needs at least one dimension", op);
  require_shape(weight, {last_dim(x)}, op, "the weight");
}

}  // namespace

Tensor rms_norm(const Tensor& x_TC, const Tensor& weight_C, float eps) {
  check("rms_norm", x_TC, weight_C);
  const Tensor weight = as_f32(weight_C);
  const Tensor y = Tensor::empty(x_TC.shape(), x_TC.dtype(), x_TC.device());
  RowNormArgs args = make_args(x_TC, weight, {}, eps);
  args.y = view(y);
  const bool recorded = will_record({x_TC, weight_C});
  const Tensor inverse_std = recorded ? Tensor::empty({args.rows}, DType::f32, x_TC.device()) : Tensor();
  if (recorded) args.inverse_std = inverse_std.data<float>();
  if (args.rows != 0) launch(&KernelTable::rms_norm, x_TC, "rms_norm", args);
  if (!recorded) return y;

  return record("rms_norm", y, {x_TC, weight_C}, [x_TC, weight_C, weight, inverse_std, eps](const Tensor& dy) {
    const Tensor dx = Tensor::empty(x_TC.shape(), x_TC.dtype(), x_TC.device());
    GradTarget dw(weight_C);
    kernels::RowNormBackwardArgs back{.forward = make_args(x_TC, weight, {}, eps),
                                      .grad_y = view(dy),
                                      .grad_x = view(dx),
                                      .grad_weight = dw.data_or_scratch()};
    back.forward.inverse_std = inverse_std.data<float>();
    if (back.forward.rows != 0) launch(&KernelTable::rms_norm_backward, x_TC, "rms_norm", back);
    return std::vector<Tensor>{dx, dw.result()};
  });
}

Tensor layer_norm(const Tensor& x_TC, const Tensor& weight_C, const Tensor& bias_C, float eps) {
  check("layer_norm", x_TC, weight_C);
  if (bias_C.defined()) require_shape(bias_C, weight_C.shape(), "layer_norm", "the bias");
  const Tensor weight = as_f32(weight_C), bias = as_f32(bias_C);
  const Tensor y = Tensor::empty(x_TC.shape(), x_TC.dtype(), x_TC.device());
  RowNormArgs args = make_args(x_TC, weight, bias, eps);
  args.y = view(y);
  const bool recorded = will_record({x_TC, weight_C, bias_C});
  // Row 0: means, row 1: inverse standard deviations.
  const Tensor statistics = recorded ? Tensor::empty({2, args.rows}, DType::f32, x_TC.device()) : Tensor();
  if (recorded) {
    args.mean = statistics.data<float>();
    args.inverse_std = statistics.data<float>() + args.rows;
  }
  if (args.rows != 0) launch(&KernelTable::layer_norm, x_TC, "layer_norm", args);
  if (!recorded) return y;

  return record("layer_norm", y, {x_TC, weight_C, bias_C},
                [x_TC, weight_C, bias_C, weight, bias, statistics, eps](const Tensor& dy) {
                  const Tensor dx = Tensor::empty(x_TC.shape(), x_TC.dtype(), x_TC.device());
                  GradTarget dw(weight_C), db(bias_C);
                  kernels::RowNormBackwardArgs back{.forward = make_args(x_TC, weight, bias, eps),
                                                    .grad_y = view(dy),
                                                    .grad_x = view(dx),
                                                    .grad_weight = dw.data_or_scratch(),
                                                    .grad_bias = db.data()};
                  back.forward.mean = statistics.data<float>();
                  back.forward.inverse_std = statistics.data<float>() + back.forward.rows;
                  if (back.forward.rows != 0) launch(&KernelTable::layer_norm_backward, x_TC, "layer_norm", back);
                  return std::vector<Tensor>{dx, dw.result(), db.result()};
                });
}

}  // namespace sensorium::ops
