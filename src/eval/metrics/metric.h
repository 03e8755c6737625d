// What every metric takes and gives. A metric is one header and one source file, and one line in registry.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sensorium::eval {

// Corners x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, in pixels.
using Box = std::array<double, 4>;

struct TruthBox {
  Box box;
  std::string label;
};

struct ScoredBox {
  Box box;
  std::string label;
  double score;  // higher is surer; any scale
};

// One evaluated record: what the model said and what is true. A metric reads only the fields it names.
struct EvalItem {
  std::string prediction;
  std::vector<std::string> references;
  std::vector<ScoredBox> predicted_boxes;
  std::vector<TruthBox> truth_boxes;
  double negative_log_likelihood = 0;  // natural logarithm, summed over the item's tokens
  int64_t tokens = 0;
};

struct Interval {
  double low, high;
};

struct MetricValue {
  double value;
  Interval ci95;
};

struct BootstrapOptions {
  int resamples = 1000;
  uint64_t seed = 1;
};

// Throws Error(invalid_data) for no items and for items that lack what the metric reads.
using MetricFn = MetricValue (*)(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
