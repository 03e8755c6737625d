// How well a model counts and measures. All metrics read the first number of the prediction and of references[0], in digits or in
// words; Error(invalid_data) if the reference holds none.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// Mean absolute error, in objects. An answer without a number, or with one above both a million and the truth, errs by
// max(1, truth), as if it had said 0, but never counts as right.
MetricValue count_mae(std::span<const EvalItem> items, const BootstrapOptions& options);

// Root of the mean squared error, in the unit of the answers. An answer without a number errs by the truth, as if it had said 0.
MetricValue rmse(std::span<const EvalItem> items, const BootstrapOptions& options);

// Share of items counted exactly.
MetricValue count_exact(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
