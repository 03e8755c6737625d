// Confidence intervals by the percentile bootstrap (Efron and Tibshirani 1993, chapter 13): the items are drawn again
// with replacement, the metric is computed for each draw, and the interval is the 2.5th to the 97.5th percentile of the
// results (linear interpolation between order statistics, as numpy does).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "eval/metrics/metric.h"

namespace sensorium::eval {

// The q-th quantile (0..1) of sorted, non-empty values.
double quantile_of_sorted(std::span<const double> sorted, double q);

// Calls statistic(draws) once per resample, draws[i] being how often item i was drawn (the sum is `count`).
// The same seed gives the same draws for every metric, so that intervals of two metrics rest on the same resamples.
template <typename Statistic>
Interval bootstrap_interval(size_t count, const BootstrapOptions& options, Statistic&& statistic) {
  require(count > 0, ErrorKind::invalid_data, "bootstrap: no items; give at least one");
  require(options.resamples > 0, ErrorKind::usage, "bootstrap: {} resamples; give at least one", options.resamples);
  Rng rng(options.seed);
  std::vector<uint32_t> draws(count);
  std::vector<double> values;
  values.reserve(static_cast<size_t>(options.resamples));
  for (int resample = 0; resample < options.resamples; ++resample) {
    std::fill(draws.begin(), draws.end(), 0u);
    for (size_t i = 0; i < count; ++i) ++draws[rng.below(count)];
    values.push_back(statistic(std::span<const uint32_t>(draws)));
  }
  std::sort(values.begin(), values.end());
  return {quantile_of_sorted(values, 0.025), quantile_of_sorted(values, 0.975)};
}

// The mean of one number per item, with its interval.
MetricValue mean_with_interval(std::span<const double> values, const BootstrapOptions& options);

// sum(numerators) / sum(denominators), with its interval: for rates over items of different size (word errors per
// word). A resample whose denominators sum to zero counts as zero.
MetricValue ratio_with_interval(std::span<const double> numerators, std::span<const double> denominators,
                                const BootstrapOptions& options);

}  // namespace sensorium::eval
