// Legend: P positions of all pictures, C channels.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::GroupNormArgs;
using kernels::KernelTable;

Tensor group_norm(const Tensor& x_PC, const Pictures& pictures, const Tensor& weight_C, const Tensor& bias_C,
                  int64_t groups, kernels::NormActivation activation, float eps) {
  require_pictures(x_PC, pictures, "group_norm");
  const int64_t channels = x_PC.dim(1);
  require(groups >= 1 && channels % groups == 0, ErrorKind::shape,
          "group_norm: {} channels do not divide into {} groups", channels, groups);
  require_shape(weight_C, {channels}, "group_norm", "the weight");
  require_shape(bias_C, {channels}, "group_norm", "the bias");
  const Tensor weight = as_f32(weight_C), bias = as_f32(bias_C);
  const auto segments = static_cast<int64_t>(pictures.count());
  const bool recorded = will_record({x_PC, weight_C, bias_C});
  // Row 0: means, row 1: inverse standard deviations, one per picture and group.
  const Tensor statistics = recorded ? Tensor::empty({2, segments * groups}, DType::f32, x_PC.device()) : Tensor();
  // `offsets` must outlive the arguments.
  const auto make_args = [=](const std::vector<int64_t>& offsets, const Tensor& y) {
    GroupNormArgs args{.offsets = offsets,
                       .channels = channels,
                       .groups = groups,
                       .x = view(x_PC),
                       .weight = f32_data(weight),
                       .bias = f32_data(bias),
                       .eps = eps,
                       .activation = activation,
                       .y = view(y)};
    if (statistics.defined()) {
      args.mean = statistics.data<float>();
      args.inverse_std = statistics.data<float>() + segments * groups;
    }
    return args;
  };
  const Tensor y_PC = Tensor::empty(x_PC.shape(), x_PC.dtype(), x_PC.device());
  const std::vector<int64_t> offsets = pictures.offsets();
  launch(&KernelTable::group_norm, x_PC, "group_norm", make_args(offsets, y_PC));
  if (!recorded) return y_PC;

  return record("group_norm", y_PC, {x_PC, weight_C, bias_C},
                [x_PC, weight_C, bias_C, offsets, make_args](const Tensor& dy_PC) {
                  const Tensor dx_PC = Tensor::empty(x_PC.shape(), x_PC.dtype(), x_PC.device());
                  GradTarget dw(weight_C), db(bias_C);
                  launch(&KernelTable::group_norm_backward, x_PC, "group_norm",
                         {.forward = make_args(offsets, {}),
                          .grad_y = view(dy_PC),
                          .grad_x = view(dx_PC),
                          .grad_weight = dw.data_or_scratch(),
                          .grad_bias = db.data_or_scratch()});
                  return std::vector<Tensor>{dx_PC, dw.result(), db.result()};
                });
}

}  // namespace sensorium::ops
