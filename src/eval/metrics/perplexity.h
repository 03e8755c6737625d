// Perplexity of text under a model.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// exp(sum of negative log-likelihoods / sum of tokens), per token of the model's own tokenizer: values of models with
// different tokenizers do not compare. Reads negative_log_likelihood (nats) and tokens. Throws Error(invalid_data) for
// an item without tokens or with a likelihood that is not finite.
MetricValue perplexity(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
