#include "eval/metrics/bootstrap.h"

#include <cmath>

namespace sensorium::eval {

double quantile_of_sorted(std::span<const double> sorted, double q) {
  require(!sorted.empty(), ErrorKind::invalid_data, "quantile of no values");
  const double position = q * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(std::floor(position));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(below);
  // Equal ends first: infinity minus infinity is not a number.
  if (sorted[below] == sorted[above]) return sorted[below];
  return sorted[below] + fraction * (sorted[above] - sorted[below]);
}

MetricValue mean_with_interval(std::span<const double> values, const BootstrapOptions& options) {
  const std::vector<double> ones(values.size(), 1.0);
  return ratio_with_interval(values, ones, options);
}

MetricValue ratio_with_interval(std::span<const double> numerators, std::span<const double> denominators,
                                const BootstrapOptions& options) {
  require(numerators.size() == denominators.size(), ErrorKind::invalid_data,
          "ratio: {} numerators but {} denominators; give one of each per item", numerators.size(),
          denominators.size());
  auto ratio = [&](auto&& weight_of) {
    double numerator = 0, denominator = 0;
    for (size_t i = 0; i < numerators.size(); ++i) {
      numerator += weight_of(i) * numerators[i];
      denominator += weight_of(i) * denominators[i];
    }
    return denominator == 0 ? 0.0 : numerator / denominator;
  };
  const Interval ci95 = bootstrap_interval(numerators.size(), options, [&](std::span<const uint32_t> draws) {
    return ratio([&](size_t i) { return static_cast<double>(draws[i]); });
  });
  return {ratio([](size_t) { return 1.0; }), ci95};
}

}  // namespace sensorium::eval
