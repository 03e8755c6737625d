#include "models/decoder/loss.h"

#include "ops/packed_weight.h"

namespace sensorium::models {
namespace {

// The matrix of the logits as the loss reads it: f32 or bf16.
Tensor vocabulary_of(const Decoder& decoder, DType compute) {
  const nn::Linear& output = decoder.output();
  if (output.packed.defined()) return ops::unpack(output.packed, compute);
  return output.weight.dtype() == DType::f16 ? output.weight.to(compute) : output.weight;
}

}  // namespace

void NextTokens::add(int64_t first, std::span<const int32_t> tokens, std::span<const float> weights) {
  for (size_t t = 1; t < tokens.size(); ++t) {
    if (weights[t] == 0) continue;
    rows_.push_back(static_cast<int32_t>(first + static_cast<int64_t>(t) - 1));
    targets_.push_back(tokens[t]);
    weights_.push_back(weights[t]);
  }
}

Tensor NextTokens::loss(const Decoder& decoder, const Tensor& hidden_TC) const {
  const auto count = static_cast<int64_t>(rows_.size());
  const Tensor chosen_TC = ops::gather_rows(hidden_TC, Tensor::from(rows_, {count}));
  return ops::linear_cross_entropy(chosen_TC, vocabulary_of(decoder, hidden_TC.dtype()),
                                   Tensor::from(targets_, {count}), Tensor::from(weights_, {count}));
}

}  // namespace sensorium::models
