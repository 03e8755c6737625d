// Linear maps, norms and convolutions.
#include "nn/modules.h"

namespace sensorium::nn {

Linear::Linear(ParameterStore& store, const std::string& name, int64_t in, int64_t out, Bias bias_kind,
               float init_scale)
    : weight(store.add(name + ".weight", {out, in}, Init::lecun, init_scale)) {
  if (bias_kind == Bias::zeros) bias = store.add(name + ".bias", {out}, Init::zeros);
}

RmsNorm::RmsNorm(ParameterStore& store, const std::string& name, int64_t channels, float epsilon)
    : weight(store.add(name + ".weight", {channels}, Init::ones)), eps(epsilon) {}

LayerNorm::LayerNorm(ParameterStore& store, const std::string& name, int64_t channels, float epsilon)
    : weight(store.add(name + ".weight", {channels}, Init::ones)),
      bias(store.add(name + ".bias", {channels}, Init::zeros)),
      eps(epsilon) {}

ConvNorm::ConvNorm(ParameterStore& store, const std::string& name, int64_t in, int64_t out, int64_t kernel_size,
                   int64_t stride_size, int64_t norm_groups, kernels::NormActivation activation_kind,
                   WeightStandardization standardization)
    : weight(store.add(name + ".weight", {out, kernel_size, kernel_size, in}, Init::he)),
      kernel(kernel_size),
      stride(stride_size),
      groups(norm_groups),
      activation(activation_kind) {
  if (standardization == WeightStandardization::on) gain = store.add(name + ".gain", {out}, Init::ones);
  norm_weight = store.add(name + ".norm.weight", {out}, Init::ones);
  norm_bias = store.add(name + ".norm.bias", {out}, Init::zeros);
}

Tensor ConvNorm::operator()(const Tensor& x_PC, ops::Pictures& pictures) const {
  const Tensor filters = gain.defined() ? ops::standardize_filters(weight, gain) : weight;
  const Tensor y_PC = ops::conv2d(x_PC, pictures, filters, {}, {.stride = stride, .padding = kernel / 2}, pictures);
  return ops::group_norm(y_PC, pictures, norm_weight, norm_bias, groups, activation);
}

}  // namespace sensorium::nn
