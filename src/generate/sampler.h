// The choice of the next token from logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"

namespace sensorium::generate {

struct SamplingOptions {
  double temperature = 0;  // 0: greedy
  double top_p = 1;        // the smallest set of tokens whose probabilities reach top_p (Holtzman 2020)
  int64_t top_k = 0;       // 0: all
  uint64_t seed = 0;
};

class Sampler {
 public:
  // Throws Error(usage) for values out of range.
  explicit Sampler(const SamplingOptions& options);
  // The same logits and seed give the same token. Throws Error(numeric) if a logit is NaN.
  int32_t choose(std::span<const float> logits);

 private:
  SamplingOptions options_;
  Rng rng_;
  std::vector<std::pair<float, int32_t>> candidates_;
};

}  // namespace sensorium::generate
