#include "generate/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace sensorium::generate {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void check_range(const char* name, double value, double low, double high) {
  require(value >= low && value <= high, ErrorKind::usage, "{} {} is outside {}..{}", name, value, low, high);
}

// The larger first; of equals the lower id, so that the order is the same everywhere.
constexpr auto kLikelier = [](const auto& a, const auto& b) {
  return a.value != b.value ? a.value > b.value : a.token < b.token;
};

// Of loops over a vocabulary that the compiler makes vectors of.
constexpr size_t kLanes = 16;

bool any_nan(std::span<const float> values) {
  std::array<int32_t, kLanes> found{};
  for (size_t i = 0; i + kLanes <= values.size(); i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) found[j] |= std::isnan(values[i + j]) ? 1 : 0;
  }
  const auto is_nan = [](float value) { return std::isnan(value); };
  return std::ranges::count(found, 0) < std::ssize(found) ||
         std::ranges::any_of(values.last(values.size() % kLanes), is_nan);
}

// The first of the largest.
size_t largest(std::span<const float> values) {
  float most = values[0];
  if (values.size() >= kLanes) {
    std::array<float, kLanes> lanes;
    std::copy_n(values.begin(), kLanes, lanes.begin());
    for (size_t i = kLanes; i + kLanes <= values.size(); i += kLanes) {
      for (size_t j = 0; j < kLanes; ++j) lanes[j] = values[i + j] > lanes[j] ? values[i + j] : lanes[j];
    }
    most = *std::ranges::max_element(lanes);
  }
  for (const float value : values.last(values.size() % kLanes)) most = std::max(most, value);
  return static_cast<size_t>(std::ranges::find(values, most) - values.begin());
}

// The tokens whose bits are not set can no longer come.
void forbid_others(std::span<float> logits, std::span<const uint64_t> allowed) {
  for (size_t first = 0; first < logits.size(); first += 64) {
    const size_t count = std::min<size_t>(64, logits.size() - first);
    uint64_t forbidden = first / 64 < allowed.size() ? ~allowed[first / 64] : ~uint64_t{0};
    if (count < 64) forbidden &= (uint64_t{1} << count) - 1;
    for (; forbidden != 0; forbidden &= forbidden - 1)
      logits[first + static_cast<size_t>(std::countr_zero(forbidden))] = kNever;
  }
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, std::span<const int32_t> prompt)
    : options_(options), rng_(options.seed) {
  check_range("temperature", options.temperature, 0, 100);
  require(options.top_p > 0 && options.top_p <= 1, ErrorKind::usage, "top-p {} is outside (0, 1]", options.top_p);
  require(options.top_k >= 0, ErrorKind::usage, "top-k {} is negative", options.top_k);
  check_range("min-p", options.min_p, 0, 1);
  require(options.repetition_penalty > 0 && options.repetition_penalty <= 10, ErrorKind::usage,
          "repetition penalty {} is outside (0, 10]", options.repetition_penalty);
  check_range("frequency penalty", options.frequency_penalty, -2, 2);
  check_range("presence penalty", options.presence_penalty, -2, 2);
  for (const auto& [token, bias] : options.logit_bias) {
    require(token >= 0, ErrorKind::usage, "logit bias: {} is no token id", token);
    check_range("logit bias", bias, -100, 100);
  }
  if (options.repetition_penalty == 1) return;
  for (const int32_t token : prompt) {
    if (token >= 0) seen_.insert(token);
  }
}

void Sampler::accept(int32_t token) {
  seen_.insert(token);
  ++said_[token];
}

std::span<const float> Sampler::adjust(std::span<const float> logits, std::span<const uint64_t> allowed) {
  const bool by_presence = options_.repetition_penalty != 1 && !seen_.empty();
  const bool by_count = (options_.frequency_penalty != 0 || options_.presence_penalty != 0) && !said_.empty();
  if (options_.logit_bias.empty() && !by_presence && !by_count && allowed.empty()) return logits;
  adjusted_.assign(logits.begin(), logits.end());
  const auto inside = [&](int32_t token) { return static_cast<size_t>(token) < adjusted_.size(); };
  for (const auto& [token, bias] : options_.logit_bias) {
    require(inside(token), ErrorKind::usage, "logit bias: token {} is outside the vocabulary of {}", token,
            adjusted_.size());
    adjusted_[static_cast<size_t>(token)] += bias;
  }
  if (by_presence) {
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    for (const int32_t token : seen_) {
      if (!inside(token)) continue;
      float& x = adjusted_[static_cast<size_t>(token)];
      x = x > 0 ? x / penalty : x * penalty;
    }
  }
  if (by_count) {
    for (const auto& [token, count] : said_) {
      if (!inside(token)) continue;
      adjusted_[static_cast<size_t>(token)] -=
          static_cast<float>(options_.frequency_penalty * static_cast<double>(count) + options_.presence_penalty);
    }
  }
  if (!allowed.empty()) forbid_others(adjusted_, allowed);
  return adjusted_;
}

int32_t Sampler::choose(std::span<const float> logits, std::span<const uint64_t> allowed) {
  require(!logits.empty(), ErrorKind::numeric, "no logits to choose from");
  require(!any_nan(logits), ErrorKind::numeric, "the model's logits are not numbers: its weights may be damaged");
  const std::span<const float> adjusted = adjust(logits, allowed);
  const size_t best = largest(adjusted);
  require(adjusted[best] > kNever, ErrorKind::unsupported,
          "no token of this model can come next: the tokenizer cannot write what the grammar wants");
  if (options_.temperature == 0) return static_cast<int32_t>(best);
  return draw(adjusted, adjusted[best]);
}

int32_t Sampler::draw(std::span<const float> logits, float most) {
  candidates_.clear();
  const auto inverse = static_cast<float>(1 / options_.temperature);
  for (size_t i = 0; i < logits.size(); ++i) {
    // A likeliest token of infinite logit leaves the others no chance.
    const float weight = logits[i] == most ? 1.0f : std::exp((logits[i] - most) * inverse);
    if (weight > 0) candidates_.push_back({weight, static_cast<int32_t>(i)});
  }
  if (options_.top_k > 0 && static_cast<size_t>(options_.top_k) < candidates_.size()) {
    const auto end = candidates_.begin() + options_.top_k;
    std::nth_element(candidates_.begin(), end - 1, candidates_.end(), kLikelier);
    candidates_.erase(end, candidates_.end());
    std::sort(candidates_.begin(), candidates_.end(), kLikelier);
  }
  if (options_.top_p < 1) {
    double total = 0;
    for (const Candidate& candidate : candidates_) total += candidate.value;
    // The likeliest few usually hold the mass: only as many are sorted as are needed.
    size_t count = 0, sorted = 0;
    for (double kept = 0; count < candidates_.size() && (count == 0 || kept < options_.top_p * total); ++count) {
      if (count == sorted) {
        sorted = std::min(candidates_.size(), std::max<size_t>(64, 4 * sorted));
        std::partial_sort(candidates_.begin() + static_cast<ptrdiff_t>(count),
                          candidates_.begin() + static_cast<ptrdiff_t>(sorted), candidates_.end(), kLikelier);
      }
      kept += candidates_[count].value;
    }
    candidates_.resize(count);
  }
  // The likeliest has weight 1.
  if (options_.min_p > 0) {
    std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.value < options_.min_p; });
  }
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.value;
  double point = rng_.uniform() * total;
  for (const Candidate& candidate : candidates_) {
    point -= candidate.value;
    if (point < 0) return candidate.token;
  }
  return candidates_.back().token;
}

TokenLogProbabilities log_probabilities(std::span<const float> logits, int32_t token, int64_t count) {
  require(token >= 0 && static_cast<size_t>(token) < logits.size(), ErrorKind::shape, "token {} of {} logits", token,
          logits.size());
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  const double log_total = most + std::log(sum);
  struct Likely {
    float value;
    int32_t token;
  };
  std::vector<Likely> likely(logits.size());
  for (size_t i = 0; i < likely.size(); ++i) likely[i] = {logits[i], static_cast<int32_t>(i)};
  const size_t kept = std::min(likely.size(), static_cast<size_t>(std::max<int64_t>(count, 0)));
  std::partial_sort(likely.begin(), likely.begin() + static_cast<ptrdiff_t>(kept), likely.end(), kLikelier);
  TokenLogProbabilities result{{token, logits[static_cast<size_t>(token)] - log_total}, {}};
  for (size_t i = 0; i < kept; ++i) result.top.push_back({likely[i].token, likely[i].value - log_total});
  return result;
}

}  // namespace sensorium::generate
