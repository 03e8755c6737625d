// Legend: P positions of all signals, T tokens, C channels, N signals, Q phrases.
#include "models/sensorium/sense.h"

#include <cmath>

#include "models/decoder/session.h"

namespace sensorium::models {

Sense::Sense(nn::ParameterStore& store, const SenseConfig& config, const SensoriumConfig& model, Queries label_queries)
    : config_(config), label_queries_(std::move(label_queries)) {
  const std::string name = fmt::format("senses.{}", config.kind->name);
  const int64_t dim = config.encoder->dim();
  encoder_ = config.encoder->make(store, name + ".encoder", model.image);
  classifier_ = Classifier(store, name + ".classifier", dim, config.query_dim, model.decoder.vocabulary);
  connector_ = Connector(store, name + ".projector", dim, config.merge, model.fusion, model.decoder.dim);
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
