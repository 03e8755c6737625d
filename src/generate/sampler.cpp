#include "generate/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sensorium::generate {

Sampler::Sampler(const SamplingOptions& options) : options_(options), rng_(options.seed) {
  require(options.temperature >= 0 && options.temperature <= 100, ErrorKind::usage, "temperature {} is outside 0..100",
          options.temperature);
  require(options.top_p > 0 && options.top_p <= 1, ErrorKind::usage, "top-p {} is outside (0, 1]", options.top_p);
  require(options.top_k >= 0, ErrorKind::usage, "top-k {} is negative", options.top_k);
}

int32_t Sampler::choose(std::span<const float> logits) {
  require(!logits.empty(), ErrorKind::numeric, "no logits to choose from");
  for (const float logit : logits) {
    require(!std::isnan(logit), ErrorKind::numeric, "the model's logits are not numbers: its weights may be damaged");
  }
  if (options_.temperature == 0) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) candidates_.emplace_back(logits[i], static_cast<int32_t>(i));
  // Best first; of equals the lower id, so that the order is the same everywhere.
  std::sort(candidates_.begin(), candidates_.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  if (options_.top_k > 0) candidates_.resize(std::min(candidates_.size(), static_cast<size_t>(options_.top_k)));
  const double most = candidates_[0].first;
  double total = 0;
  for (auto& [value, id] : candidates_) {
    value = static_cast<float>(std::exp((value - most) / options_.temperature));
    total += value;
  }
  double kept = 0;
  size_t count = 0;
  while (count < candidates_.size() && (count == 0 || kept < options_.top_p * total))
    kept += candidates_[count++].first;
  double point = rng_.uniform() * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    point -= candidates_[i].first;
    if (point < 0) return candidates_[i].second;
  }
  return candidates_[count - 1].second;
}

}  // namespace sensorium::generate
