// Exact match of short answers.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// Whether the prediction means one of the references: equal after normalize_answer (text_norm.h). Where a reference is
// yes or no, the prediction's first word decides, so that "No, one man does not." is no.
bool is_exact_match(std::string_view prediction, std::span<const std::string> references);

// The share of items that match. Reads prediction and references (at least one).
MetricValue exact_match(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
