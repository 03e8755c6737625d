// Legend: P cells of all pictures, Q phrases, C channels, N pictures.
#include "models/sensorium/heads.h"

#include <algorithm>
#include <cmath>

namespace sensorium::models {
namespace {

using kernels::NormActivation;
using nn::WeightStandardization;

constexpr float kSuppressionIou = 0.5f;
// Scores start near 0.01, so that the many empty cells do not drown the first steps (RetinaNet, Lin 2017).
constexpr float kInitialLogit = -4.6f;

// Mean of the tokens' embeddings, then a linear map: [Q, query_dim] in `dtype`.
Tensor embed_queries(const Tensor& embedding, const nn::Linear& project, const Queries& queries, DType dtype) {
  const Tensor mean_QC = ops::segment_mean(ops::gather_rows(embedding, queries.tokens, DType::f32), queries.offsets);
  return ops::cast(ops::l2_normalize(project(mean_QC)), dtype);
}

float value_at(const Tensor& tensor, int64_t index) {
  return tensor.dtype() == DType::f32 ? tensor.data<float>()[index] : static_cast<float>(tensor.data<bf16>()[index]);
}

}  // namespace

float intersection_over_union(const Box& a, const Box& b) {
  const float width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const float height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (width <= 0 || height <= 0) return 0;
  const float both = width * height;
  return both / (a.area() + b.area() - both);
}

Queries make_queries(const std::vector<std::vector<int32_t>>& phrases) {
  Queries queries;
  queries.offsets = {0};
  std::vector<int32_t> tokens;
  for (const auto& phrase : phrases) {
    tokens.insert(tokens.end(), phrase.begin(), phrase.end());
    queries.offsets.push_back(static_cast<int64_t>(tokens.size()));
  }
  queries.tokens = Tensor::from(tokens, {static_cast<int64_t>(tokens.size())});
  return queries;
}

Detector::Detector(nn::ParameterStore& store, const std::string& name, const modality::ImageEncoderConfig& image,
                   const HeadsConfig& config, int64_t vocabulary) {
  const int64_t channels = image.stem_channels[2];
  const auto conv = [&](const char* suffix) {
    return nn::ConvNorm(store, name + suffix, channels, channels, 3, 1, image.norm_groups, NormActivation::relu,
                        WeightStandardization::on);
  };
  lift_ = nn::Linear(store, name + ".lift", image.dim, channels, nn::Bias::none);
  fuse_ = conv(".fuse");
  center_ = conv(".center");
  size_ = conv(".size");
  center_out_ = nn::Linear(store, name + ".center_out", channels, config.query_dim, nn::Bias::none);
  size_out_ = nn::Linear(store, name + ".size_out", channels, 4, nn::Bias::zeros);
  embedding_ = store.add(name + ".embedding", {vocabulary, config.query_dim}, nn::Init::normal, 1.0f);
  query_ = nn::Linear(store, name + ".query", config.query_dim, config.query_dim, nn::Bias::none);
  bias_ = store.add(name + ".bias", {1}, nn::Init::ones);
}

Detector::Output Detector::operator()(const modality::ImageFeatures& features, const Queries& queries) const {
  Output output;
  output.grid = features.fine;
  const Tensor lifted_PC = ops::upsample(lift_(features.tokens_TC), features.coarse, 2, features.fine);
  ops::Pictures grid = features.fine;
  const Tensor fused_PC = fuse_(ops::add(features.fine_PC, lifted_PC), grid);
  const Tensor center_PD = center_out_(center_(fused_PC, grid));
  // Queries have unit length; the features carry the scale. The bias is stored relative to the initial logit.
  const Tensor queries_QD = embed_queries(embedding_, query_, queries, center_PD.dtype());
  const Tensor bias_Q =
      ops::scale(ops::gather_rows(bias_.reshape({1, 1}), Tensor::zeros({queries.count()}, DType::i32)), kInitialLogit)
          .reshape({queries.count()});
  output.logits_PQ = ops::linear(center_PD, queries_QD, bias_Q);
  output.distances_P4 = ops::unary(kernels::Unary::exp, size_out_(size_(fused_PC, grid)));
  return output;
}

std::vector<std::vector<Detection>> Detector::detect(const Output& output, const ops::Pictures& sizes,
                                                     const std::vector<double>& thresholds, int max_detections) const {
  const std::vector<int64_t> offsets = output.grid.offsets();
  const int64_t queries = output.logits_PQ.dim(1);
  std::vector<std::vector<Detection>> results(sizes.count());
  for (size_t picture = 0; picture < sizes.count(); ++picture) {
    const int height = output.grid.heights[picture], width = output.grid.widths[picture];
    const auto logit = [&](int y, int x, int64_t q) {
      return value_at(output.logits_PQ, (offsets[picture] + int64_t{y} * width + x) * queries + q);
    };
    std::vector<Detection> found;
    for (int64_t q = 0; q < queries; ++q) {
      const double threshold = std::clamp(thresholds[static_cast<size_t>(q)], 1e-6, 1 - 1e-6);
      const float least = static_cast<float>(std::log(threshold / (1 - threshold)));
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const float center = logit(y, x, q);
          if (!(center >= least)) continue;
          bool peak = true;
          for (int dy = -1; dy <= 1 && peak; ++dy) {
            for (int dx = -1; dx <= 1; ++dx) {
              const int ny = y + dy, nx = x + dx;
              if ((dy == 0 && dx == 0) || ny < 0 || nx < 0 || ny >= height || nx >= width) continue;
              const float other = logit(ny, nx, q);
              // Of equal neighbours the first in reading order is the peak.
              if (other > center || (other == center && (dy < 0 || (dy == 0 && dx < 0)))) {
                peak = false;
                break;
              }
            }
          }
          if (!peak) continue;
          const int64_t row = (offsets[picture] + int64_t{y} * width + x) * 4;
          const float cx = (static_cast<float>(x) + 0.5f) * kStride, cy = (static_cast<float>(y) + 0.5f) * kStride;
          const auto clip = [](float value, int limit) { return std::clamp(value, 0.0f, static_cast<float>(limit)); };
          const auto side = [&](int64_t i) { return value_at(output.distances_P4, row + i) * kStride; };
          Detection detection{static_cast<int>(q), 1.0f / (1.0f + std::exp(-center)), {}};
          detection.box = {clip(cx - side(0), sizes.widths[picture]), clip(cy - side(1), sizes.heights[picture]),
                           clip(cx + side(2), sizes.widths[picture]), clip(cy + side(3), sizes.heights[picture])};
          if (detection.box.area() > 0) found.push_back(detection);
        }
      }
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    for (const Detection& candidate : found) {
      if (static_cast<int>(results[picture].size()) >= max_detections) break;
      const bool covered = std::any_of(results[picture].begin(), results[picture].end(), [&](const Detection& kept) {
        return kept.query == candidate.query && intersection_over_union(kept.box, candidate.box) > kSuppressionIou;
      });
      if (!covered) results[picture].push_back(candidate);
    }
  }
  return results;
}

Classifier::Classifier(nn::ParameterStore& store, const std::string& name, int64_t dim, int64_t query_dim,
                       int64_t vocabulary) {
  pool_ = nn::Linear(store, name + ".pool", dim, query_dim, nn::Bias::none);
  embedding_ = store.add(name + ".embedding", {vocabulary, query_dim}, nn::Init::normal, 1.0f);
  query_ = nn::Linear(store, name + ".query", query_dim, query_dim, nn::Bias::none);
}

Tensor Classifier::operator()(const modality::ImageFeatures& features, const Queries& queries) const {
  const std::vector<int64_t> offsets = features.coarse.offsets();
  const Tensor pooled_NC = ops::segment_mean(features.tokens_TC, offsets);
  const Tensor embedded_ND = ops::cast(pool_(pooled_NC), DType::f32);
  const Tensor queries_QD = embed_queries(embedding_, query_, queries, DType::f32);
  return ops::linear(embedded_ND, queries_QD);
}

Tensor Classifier::contributions(const modality::ImageFeatures& features, const Queries& queries) const {
  // The pooling is a mean and what follows is linear, so that it may come last.
  const Tensor embedded_TD = ops::cast(pool_(features.tokens_TC), DType::f32);
  return ops::linear(embedded_TD, embed_queries(embedding_, query_, queries, DType::f32));
}

}  // namespace sensorium::models
