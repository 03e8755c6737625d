#include "eval/metrics/accuracy.h"

#include "eval/metrics/bootstrap.h"
#include "eval/metrics/confusion.h"

namespace sensorium::eval {

MetricValue accuracy(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> right;
  right.reserve(items.size());
  for (const EvalItem& item : items) {
    require(!item.references.empty(), ErrorKind::invalid_data, "accuracy: an item has no true class");
    right.push_back(class_key(item.prediction) == class_key(item.references[0]) ? 1.0 : 0.0);
  }
  return mean_with_interval(right, options);
}

}  // namespace sensorium::eval
