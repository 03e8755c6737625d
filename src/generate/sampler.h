// The choice of the next token from logits.
//
// What happens to the logits, in this order (raw logits x, tokens t):
//   bias        x[t] += bias[t]                                              (OpenAI's logit_bias)
//   repetition  x[t] = x[t] > 0 ? x[t] / r : x[t] * r for every t of the prompt and the answer so far
//               (Keskar 2019, CTRL, as transformers does it)
//   frequency, presence
//               x[t] -= frequency * count(t) + presence * (count(t) > 0), counted in the answer so far (OpenAI)
//   constraint  x[t] = -inf where the grammar allows no t
//   temperature x / T; 0 takes the largest
//   top-k       the k largest
//   top-p       of those, the fewest whose probabilities sum to p (Holtzman 2020)
//   min-p       of those, the ones at least min_p times as likely as the likeliest (Nguyen 2024)
// Log-probabilities are those of the raw logits: what the model says, whatever is done to its choice.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace sensorium::generate {

struct SamplingOptions {
  double temperature = 0;                             // 0: greedy; up to 100
  double top_p = 1;                                   // (0, 1]
  int64_t top_k = 0;                                  // 0: all
  double min_p = 0;                                   // [0, 1]; 0: all
  double repetition_penalty = 1;                      // (0, 10]; 1: none
  double frequency_penalty = 0;                       // -2..2
  double presence_penalty = 0;                        // -2..2
  std::vector<std::pair<int32_t, float>> logit_bias;  // token, -100..100
  uint64_t seed = 0;
};

// Holds what one answer needs; every request has its own.
class Sampler {
 public:
  // `prompt`: its token ids for the repetition penalty; negative ones are no tokens. Throws Error(usage) for values out of
  // range.
  explicit Sampler(const SamplingOptions& options, std::span<const int32_t> prompt = {});

  // The same logits, history and seed give the same token. `allowed`: bit t % 64 of word t / 64 for every token; empty: all
  // tokens. Throws Error(numeric) if a logit is NaN, Error(usage) if a biased token is outside the vocabulary,
  // Error(unsupported) if no token is allowed.
  int32_t choose(std::span<const float> logits, std::span<const uint64_t> allowed = {});
  // Adds a token to the answer so far.
  void accept(int32_t token);

 private:
  struct Candidate {
    float value;
    int32_t token;
  };
  std::span<const float> adjust(std::span<const float> logits, std::span<const uint64_t> allowed);
  int32_t draw(std::span<const float> logits, float most);

  SamplingOptions options_;
  Rng rng_;
  std::unordered_set<int32_t> seen_;           // in prompt and answer
  std::unordered_map<int32_t, int64_t> said_;  // in the answer: how often
  std::vector<float> adjusted_;
  std::vector<Candidate> candidates_;
};

struct TokenProbability {
  int32_t token = 0;
  double log_probability = 0;  // nats
};
// The log-probability of `token` and of the `count` likeliest tokens, likeliest first (of equals the lower id first).
struct TokenLogProbabilities {
  TokenProbability chosen;
  std::vector<TokenProbability> top;
};
TokenLogProbabilities log_probabilities(std::span<const float> logits, int32_t token, int64_t count);

}  // namespace sensorium::generate
