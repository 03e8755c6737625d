// Confusion matrix, and precision, recall and F1 per class.
#pragma once

#include <string>
#include <vector>

#include "eval/metrics/metric.h"

namespace sensorium::eval {

// A class name as comparisons see it: trimmed, ASCII lower case.
std::string class_key(std::string_view name);

struct ClassScores {
  double precision, recall, f1;  // 0 where the denominator is 0
  int64_t truths, predictions;
};

struct ConfusionMatrix {
  // Every class that is true or predicted somewhere, sorted by name.
  std::vector<std::string> classes;
  // counts[truth * classes.size() + prediction].
  std::vector<int64_t> counts;

  int64_t at(size_t truth, size_t prediction) const { return counts[truth * classes.size() + prediction]; }
  // One per class, in their order.
  std::vector<ClassScores> scores() const;
  // Mean F1 over the classes that occur in the truth.
  double macro_f1() const;
};

// Reads prediction and references[0] as accuracy does. Throws Error(invalid_data) for an item without a true class.
ConfusionMatrix confusion_matrix(std::span<const EvalItem> items);

// confusion_matrix(items).macro_f1() with its interval (a resample's mean runs over the classes that it holds).
MetricValue macro_f1(std::span<const EvalItem> items, const BootstrapOptions& options);

}  // namespace sensorium::eval
