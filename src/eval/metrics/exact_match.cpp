#include "eval/metrics/exact_match.h"

#include "eval/metrics/bootstrap.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {

bool is_exact_match(std::string_view prediction, std::span<const std::string> references) {
  const std::string said = normalize_answer(prediction);
  for (const std::string& reference : references) {
    const std::string truth = normalize_answer(reference);
    if (said == truth) return true;
    const bool closed = truth == "yes" || truth == "no";
    if (closed && normalize_answer(said.substr(0, said.find(' '))) == truth) return true;
  }
  return false;
}

MetricValue exact_match(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> right;
  right.reserve(items.size());
  for (const EvalItem& item : items) {
    require(!item.references.empty(), ErrorKind::invalid_data, "exact_match: an item has no reference answer");
    right.push_back(is_exact_match(item.prediction, item.references) ? 1.0 : 0.0);
  }
  return mean_with_interval(right, options);
}

}  // namespace sensorium::eval
