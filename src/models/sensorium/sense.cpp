// Legend: P positions of all signals, T tokens, C channels, N signals, Q phrases.
#include "models/sensorium/sense.h"

#include <cmath>

#include "models/decoder/session.h"
#include "models/sensorium/token_grid.h"

namespace sensorium::models {

Sense::Sense(nn::ParameterStore& store, const SenseConfig& config, const modality::ImageEncoderConfig& eyes,
             const DecoderConfig& decoder, Queries label_queries)
    : config_(config), label_queries_(std::move(label_queries)) {
  const std::string name = fmt::format("senses.{}", config.kind->name);
  const int64_t dim = config.encoder->dim();
  encoder_ = config.encoder->make(store, name + ".encoder", eyes);
  classifier_ = Classifier(store, name + ".classifier", dim, config.query_dim, decoder.vocabulary);
  projector_ = nn::Mlp(store, name + ".projector", dim * config.merge * config.merge, decoder.dim, decoder.dim);
}

Tensor Sense::project(const modality::ImageFeatures& features, std::vector<int64_t>& token_offsets) const {
  return projector_(merge_tokens(features, config_.merge, token_offsets));
}

int64_t Sense::token_count(const modality::Signal& signal) const {
  const modality::TokenGridSize grid = encoder_->grid(signal);
  return merged(grid.rows, config_.merge) * merged(grid.columns, config_.merge);
}

std::vector<float> Sense::probabilities(const modality::ImageFeatures& features, const Queries& queries) const {
  const Tensor logits_NQ = classify(features, queries);
  const int64_t windows = logits_NQ.dim(0), phrases = logits_NQ.dim(1);
  std::vector<float> mean(static_cast<size_t>(phrases));
  for (int64_t n = 0; n < windows; ++n) {
    const std::span<const float> row = logits_NQ.span<float>().subspan(static_cast<size_t>(n * phrases), mean.size());
    const double total = log_sum_exp(row);
    for (size_t q = 0; q < mean.size(); ++q)
      mean[q] += static_cast<float>(std::exp(row[q] - total) / static_cast<double>(windows));
  }
  return mean;
}

std::vector<modality::Signal> signals_of(const modality::Recording& recording) {
  std::vector<modality::Signal> signals;
  for (const Tensor& window : recording.windows) signals.push_back(recording.sense->signal(window));
  return signals;
}

std::vector<const modality::Signal*> pointers_to(std::span<const modality::Signal> signals) {
  std::vector<const modality::Signal*> pointers;
  for (const modality::Signal& signal : signals) pointers.push_back(&signal);
  return pointers;
}

}  // namespace sensorium::models
