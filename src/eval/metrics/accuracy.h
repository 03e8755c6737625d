// Accuracy: the share of items whose predicted class name is the true one.
#pragma once

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// Reads prediction and references[0], the class name. White space at the ends and ASCII case do not count.
MetricValue accuracy(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
