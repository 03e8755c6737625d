#include "models/sensorium/connector.h"

#include <cmath>

#include "models/sensorium/token_grid.h"

namespace sensorium::models {
namespace {

constexpr float kQueryDeviation = 0.5f;

// Row and column of every token, -1..1 over its picture: f32 [T, 2].
Tensor places_of(const ops::Pictures& grids) {
  std::vector<float> places;
  const auto relative = [](int32_t i, int32_t side) {
    return 2 * (static_cast<float>(i) + 0.5f) / static_cast<float>(side) - 1;
  };
  for (size_t n = 0; n < grids.count(); ++n) {
    for (int32_t y = 0; y < grids.heights[n]; ++y) {
      for (int32_t x = 0; x < grids.widths[n]; ++x)
        places.insert(places.end(), {relative(y, grids.heights[n]), relative(x, grids.widths[n])});
    }
  }
  return Tensor::from(places, {static_cast<int64_t>(places.size()) / 2, 2});
}

}  // namespace

Resampler::Resampler(nn::ParameterStore& store, const std::string& name, int64_t encoder_dim,
                     const FusionConfig& config, int64_t dim)
    : lift_(store, name + ".lift", encoder_dim, dim, nn::Bias::zeros),
      place_(store, name + ".place", 2, dim, nn::Bias::none),
      queries_QC_(store.add(name + ".queries", {config.tokens, dim}, nn::Init::normal, kQueryDeviation)) {
  const float out_scale = 1.0f / std::sqrt(2.0f * static_cast<float>(config.layers));
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string layer = fmt::format("{}.layers.{}", name, i);
    layers_.push_back({.media_norm = nn::RmsNorm(store, layer + ".media_norm", dim),
                       .norm1 = nn::RmsNorm(store, layer + ".norm1", dim),
                       .attention = nn::CrossAttention(store, layer + ".attention", dim, dim, config.heads,
                                                       dim / config.heads, out_scale),
                       .norm2 = nn::RmsNorm(store, layer + ".norm2", dim),
                       .mlp = nn::SwigluMlp(store, layer + ".mlp", dim, 2 * dim, out_scale)});
  }
  norm_ = nn::RmsNorm(store, name + ".norm", dim);
}

Tensor Resampler::operator()(const modality::ImageFeatures& features) const {
  const DType compute = features.tokens_TC.dtype();
  const Tensor lifted_TC = ops::add(lift_(features.tokens_TC), ops::cast(place_(places_of(features.coarse)), compute));
  const std::vector<int64_t> offsets = features.coarse.offsets();
  const auto pictures = static_cast<int64_t>(features.coarse.count());
  const int64_t queries = queries_QC_.dim(0), tokens = offsets.back();
  // Keys of a picture: its tokens, then its queries as they are by now.
  std::vector<int32_t> own_query, source;
  ops::Sequences query_rows{{0}}, source_rows{{0}};
  for (int64_t n = 0; n < pictures; ++n) {
    for (int64_t t = offsets[static_cast<size_t>(n)]; t < offsets[static_cast<size_t>(n) + 1]; ++t)
      source.push_back(static_cast<int32_t>(t));
    for (int64_t q = 0; q < queries; ++q) {
      own_query.push_back(static_cast<int32_t>(q));
      source.push_back(static_cast<int32_t>(tokens + n * queries + q));
    }
    query_rows.offsets.push_back(static_cast<int32_t>(own_query.size()));
    source_rows.offsets.push_back(static_cast<int32_t>(source.size()));
  }
  const Tensor source_S = Tensor::from(source, {static_cast<int64_t>(source.size())});
  Tensor x_QC = ops::gather_rows(queries_QC_, Tensor::from(own_query, {pictures * queries}), compute);
  for (const Layer& layer : layers_) {
    const Tensor normed_QC = layer.norm1(x_QC);
    const Tensor read_SC = ops::gather_rows(ops::concat_rows({layer.media_norm(lifted_TC), normed_QC}), source_S);
    x_QC = ops::add(x_QC, layer.attention(normed_QC, query_rows, layer.attention.read(read_SC), source_rows));
    x_QC = ops::add(x_QC, layer.mlp(layer.norm2(x_QC)));
  }
  return norm_(x_QC);
}

Connector::Connector(nn::ParameterStore& store, const std::string& name, int64_t encoder_dim, int64_t merge,
                     const FusionConfig& config, int64_t dim)
    : config_(config), merge_(merge) {
  if (config.kind == FusionKind::resampler) {
    resampler_ = Resampler(store, name, encoder_dim, config, dim);
  } else {
    projector_ = nn::Mlp(store, name, encoder_dim * merge * merge, dim, dim);
  }
}

Tensor Connector::operator()(const modality::ImageFeatures& features, std::vector<int64_t>& row_offsets) const {
  if (config_.kind != FusionKind::resampler) return projector_(merge_tokens(features, merge_, row_offsets));
  row_offsets.clear();
  for (size_t n = 0; n <= features.coarse.count(); ++n) row_offsets.push_back(static_cast<int64_t>(n) * config_.tokens);
  return resampler_(features);
}

int64_t Connector::rows(const modality::TokenGridSize& grid) const {
  if (config_.kind == FusionKind::resampler) return config_.tokens;
  return merged(grid.rows, merge_) * merged(grid.columns, merge_);
}

}  // namespace sensorium::models
