#include "models/decoder/cross_layer.h"

#include <algorithm>

namespace sensorium::models {
namespace {

Tensor index_of(const std::vector<int32_t>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}

Tensor gated(const Tensor& x_TC, const Tensor& gate_C) {
  return ops::multiply(x_TC, ops::cast(ops::unary(kernels::Unary::tanh, gate_C), x_TC.dtype()));
}

}  // namespace

CrossPlan plan_cross(const ops::Sequences& sequences, std::span<const int64_t> first,
                     std::span<const std::vector<MediumSpan>> media) {
  CrossPlan plan{.queries = {{0}}, .media = {{0}}};
  std::vector<int32_t> rows, back(static_cast<size_t>(sequences.offsets.back()), -1), read;
  for (size_t i = 0; i < media.size(); ++i) {
    const int64_t begin = sequences.offsets[i], end = sequences.offsets[i + 1];
    const int64_t before = first.empty() ? 0 : first[i];
    const auto at = [&](size_t medium) {
      return medium < media[i].size() ? std::clamp(begin + media[i][medium].row - before, begin, end) : end;
    };
    for (size_t known = 1; known <= media[i].size(); ++known) {
      if (at(known - 1) == at(known)) continue;
      for (int64_t row = at(known - 1); row < at(known); ++row) {
        back[static_cast<size_t>(row)] = static_cast<int32_t>(rows.size());
        rows.push_back(static_cast<int32_t>(row));
      }
      for (size_t medium = 0; medium < known; ++medium) {
        for (int64_t row = media[i][medium].begin; row < media[i][medium].end; ++row)
          read.push_back(static_cast<int32_t>(row));
      }
      plan.queries.offsets.push_back(static_cast<int32_t>(rows.size()));
      plan.media.offsets.push_back(static_cast<int32_t>(read.size()));
    }
  }
  plan.rows_Q = index_of(rows);
  plan.back_T = index_of(back);
  plan.media_K = index_of(read);
  return plan;
}

CrossLayer::CrossLayer(nn::ParameterStore& store, const std::string& name, int64_t dim, int64_t heads, int64_t head_dim,
                       int64_t mlp_width, float out_scale, float norm_eps)
    : media_norm_(store, name + ".media_norm", dim, norm_eps),
      norm1_(store, name + ".norm1", dim, norm_eps),
      norm2_(store, name + ".norm2", dim, norm_eps),
      attention_(store, name + ".attention", dim, dim, heads, head_dim, out_scale),
      mlp_(store, name + ".mlp", dim, mlp_width, out_scale),
      gate1_(store.add(name + ".gate1", {dim}, nn::Init::zeros)),
      gate2_(store.add(name + ".gate2", {dim}, nn::Init::zeros)) {}

Tensor CrossLayer::operator()(const Tensor& x_TC, const nn::CrossAttention::Source& media,
                              const CrossPlan& plan) const {
  if (plan.empty()) return x_TC;
  const Tensor x_QC = ops::gather_rows(x_TC, plan.rows_Q);
  const nn::CrossAttention::Source read{ops::gather_rows(media.keys_SD, plan.media_K),
                                        ops::gather_rows(media.values_SD, plan.media_K)};
  const Tensor found_QC = gated(attention_(norm1_(x_QC), plan.queries, read, plan.media), gate1_);
  const Tensor thought_QC = gated(mlp_(norm2_(ops::add(x_QC, found_QC))), gate2_);
  return ops::add(x_TC, ops::gather_rows(ops::add(found_QC, thought_QC), plan.back_T));
}

}  // namespace sensorium::models
