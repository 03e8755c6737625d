// Linear maps, norms and convolutions.
#include <cstring>

#include "nn/modules.h"

namespace sensorium::nn {

Linear::Linear(ParameterStore& store, const std::string& name, int64_t in, int64_t out, Bias bias_kind,
               float init_scale) {
  const Matrix matrix = store.add_matrix(name + ".weight", {out, in}, Init::lecun, init_scale);
  weight = matrix.tensor;
  packed = matrix.packed;
  if (bias_kind == Bias::zeros) bias = store.add(name + ".bias", {out}, Init::zeros);
}

void Linear::pack() {
  // Under a tap there may be nothing to read.
  if (packed.defined() || ParameterTap::active()) return;
  packed = ops::pack_weight(weight, {.type = kernels::PackedType::bf16});
  weight = {};
}

Tensor Linear::operator()(const Tensor& x_TK) const {
  Tensor y_TN = packed.defined() ? ops::packed_linear(x_TK, packed, bias) : ops::linear(x_TK, weight, bias);
  for (const LowRank& change : changes) {
    Tensor kept_TK = x_TK;
    if (change.dropout && change.dropout->probability > 0) {
      Rng rng = Rng::for_item(change.dropout->seed, change.stream);
      kept_TK = ops::dropout(x_TK, change.dropout->probability, rng);
    }
    y_TN = ops::add_low_rank(y_TN, kept_TK, change.a_RK, change.b_MR, change.first, change.scale);
  }
  return y_TN;
}

Tensor Linear::activated(const Tensor& x_TK, kernels::Unary activation) const {
  if (!packed.defined() || !changes.empty()) return ops::unary(activation, (*this)(x_TK));
  return ops::packed_linear(x_TK, packed, bias, x_TK.dtype(), activation);
}

Tensor look_up_rows(const Tensor& table_RC, const Tensor& index_T, DType dtype) {
  if (table_RC.dtype() != DType::f16) return ops::gather_rows(table_RC, index_T, dtype);
  const int64_t rows = index_T.elements(), columns = table_RC.dim(1);
  const size_t row_bytes = static_cast<size_t>(columns) * size_of(DType::f16);
  const Tensor found = Tensor::zeros({rows, columns}, DType::f16);
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t row = index_T.data<int32_t>()[i];
    require(row >= -1 && row < table_RC.dim(0), ErrorKind::shape, "look_up_rows: index {} into {} rows", row,
            table_RC.dim(0));
    if (row < 0) continue;
    std::memcpy(static_cast<std::byte*>(found.raw()) + static_cast<size_t>(i) * row_bytes,
                static_cast<const std::byte*>(table_RC.raw()) + static_cast<size_t>(row) * row_bytes, row_bytes);
  }
  return found.to(dtype);
}

RmsNorm::RmsNorm(ParameterStore& store, const std::string& name, int64_t channels, float epsilon)
    : weight(store.add(name + ".weight", {channels}, Init::ones)), eps(epsilon) {}

LayerNorm::LayerNorm(ParameterStore& store, const std::string& name, int64_t channels, float epsilon)
    : weight(store.add(name + ".weight", {channels}, Init::ones)),
      bias(store.add(name + ".bias", {channels}, Init::zeros)),
      eps(epsilon) {}

PatchEmbedding::PatchEmbedding(ParameterStore& store, const std::string& name, const Shape& weight_shape,
                               Bias bias_kind)
    : weight(store.add(name + ".weight", weight_shape, Init::lecun)) {
  if (bias_kind == Bias::zeros) bias = store.add(name + ".bias", {weight_shape[0]}, Init::zeros);
}

Tensor PatchEmbedding::operator()(const Tensor& patches_PK) const {
  const int64_t out = weight.dim(0);
  return ops::linear(patches_PK, weight.reshape({out, weight.elements() / out}), bias);
}

ConvNorm::ConvNorm(ParameterStore& store, const std::string& name, int64_t in, int64_t out, int64_t kernel_size,
                   int64_t stride_size, int64_t norm_groups, kernels::NormActivation activation_kind,
                   WeightStandardization standardization)
    : weight(store.add(name + ".weight", {out, kernel_size, kernel_size, in}, Init::he)),
      kernel(kernel_size),
      stride(stride_size),
      groups(norm_groups),
      activation(activation_kind) {
  if (standardization == WeightStandardization::on) gain = store.add(name + ".gain", {out}, Init::ones);
  // What came from a checkpoint does not learn: it is standardised here, once and not in every pass. Under a tap there may be
  // nothing to read.
  if (gain.defined() && !weight.requires_grad() && !gain.requires_grad() && !ParameterTap::active()) {
    weight = ops::standardize_filters(weight, gain);
    gain = {};
  }
  norm_weight = store.add(name + ".norm.weight", {out}, Init::ones);
  norm_bias = store.add(name + ".norm.bias", {out}, Init::zeros);
}

Tensor ConvNorm::operator()(const Tensor& x_PC, ops::Pictures& pictures) const {
  const Tensor filters = gain.defined() ? ops::standardize_filters(weight, gain) : weight;
  const Tensor y_PC = ops::conv2d(x_PC, pictures, filters, {}, {.stride = stride, .padding = kernel / 2}, pictures);
  return ops::group_norm(y_PC, pictures, norm_weight, norm_bias, groups, activation);
}

}  // namespace sensorium::nn
