// The language modelling loss of packed sequences.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/decoder/decoder.h"

namespace sensorium::models {

// Which tokens are predicted from which rows: only those go through the vocabulary.
class NextTokens {
 public:
  // A sequence whose first row is `first`; weights[t] counts the prediction of tokens[t] from row t - 1.
  void add(int64_t first, std::span<const int32_t> tokens, std::span<const float> weights);
  bool empty() const { return rows_.empty(); }
  // Mean negative log-likelihood by the weights, f32 [1]. `hidden_TC`: the decoder's result for all rows.
  Tensor loss(const Decoder& decoder, const Tensor& hidden_TC) const;

 private:
  std::vector<int32_t> rows_, targets_;
  std::vector<float> weights_;
};

}  // namespace sensorium::models
