#include "eval/metrics/counting.h"

#include <cmath>

#include "eval/metrics/bootstrap.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {
namespace {

// A model that repeats a digit has not counted; its number would outweigh every other answer in the mean.
constexpr double kMostCounted = 1e6;

std::vector<double> count_errors(std::span<const EvalItem> items) {
  std::vector<double> errors;
  errors.reserve(items.size());
  for (const EvalItem& item : items) {
    const std::optional<double> truth = item.references.empty() ? std::nullopt : first_number(item.references[0]);
    require(truth.has_value(), ErrorKind::invalid_data,
            "count: a true answer holds no number; give one, such as \"3\"");
    const std::optional<double> said = first_number(item.prediction);
    const bool counted = said && std::abs(*said) <= std::max(kMostCounted, std::abs(*truth));
    errors.push_back(counted ? std::abs(*said - *truth) : std::max(1.0, std::abs(*truth)));
  }
  return errors;
}

}  // namespace

MetricValue count_mae(std::span<const EvalItem> items, const BootstrapOptions& options) {
  return mean_with_interval(count_errors(items), options);
}

MetricValue rmse(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> squares;
  for (const EvalItem& item : items) {
    const std::optional<double> truth = item.references.empty() ? std::nullopt : first_number(item.references[0]);
    require(truth.has_value(), ErrorKind::invalid_data,
            "rmse: a true answer holds no number; give one, such as \"1.5\"");
    const double said = first_number(item.prediction).value_or(0);
    squares.push_back((said - *truth) * (said - *truth));
  }
  const MetricValue mean = mean_with_interval(squares, options);
  return {std::sqrt(mean.value), {std::sqrt(mean.ci95.low), std::sqrt(mean.ci95.high)}};
}

MetricValue count_exact(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> values = count_errors(items);
  for (double& value : values) value = value == 0 ? 1.0 : 0.0;
  return mean_with_interval(values, options);
}

}  // namespace sensorium::eval
