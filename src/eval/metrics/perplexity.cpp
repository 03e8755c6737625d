#include "eval/metrics/perplexity.h"

#include <cmath>

#include "eval/metrics/bootstrap.h"

namespace sensorium::eval {

MetricValue perplexity(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> nats, tokens;
  for (const EvalItem& item : items) {
    require(item.tokens > 0, ErrorKind::invalid_data, "perplexity: an item has {} tokens; give at least one",
            item.tokens);
    require(std::isfinite(item.negative_log_likelihood), ErrorKind::invalid_data,
            "perplexity: an item's negative log-likelihood is {}", item.negative_log_likelihood);
    nats.push_back(item.negative_log_likelihood);
    tokens.push_back(static_cast<double>(item.tokens));
  }
  // The exponential is monotonic, so it may be taken after the interval's quantiles.
  const MetricValue mean = ratio_with_interval(nats, tokens, options);
  return {std::exp(mean.value), {std::exp(mean.ci95.low), std::exp(mean.ci95.high)}};
}

}  // namespace sensorium::eval
