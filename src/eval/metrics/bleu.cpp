#include "eval/metrics/bleu.h"

#include <algorithm>
#include <cmath>

#include "eval/metrics/bootstrap.h"
#include "eval/metrics/ngrams.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {
namespace {

// What one item adds to the corpus's sums; doubles, because a resample weighs them.
struct BleuSums {
  double length = 0, reference_length = 0;
  std::array<double, kMaxNgram> clipped{}, guessed{};

  void add(const BleuSums& other, double weight) {
    length += weight * other.length;
    reference_length += weight * other.reference_length;
    for (size_t n = 0; n < kMaxNgram; ++n) {
      clipped[n] += weight * other.clipped[n];
      guessed[n] += weight * other.guessed[n];
    }
  }

  double score() const {
    constexpr double kTiny = 1e-15, kSmall = 1e-9;
    double product = 1;
    for (size_t n = 0; n < kMaxNgram; ++n) product *= (clipped[n] + kTiny) / (guessed[n] + kSmall);
    const double ratio = (length + kTiny) / (reference_length + kSmall);
    const double penalty = ratio < 1 ? std::exp(1 - 1 / ratio) : 1.0;
    return std::pow(product, 1.0 / kMaxNgram) * penalty;
  }
};

BleuSums item_sums(const EvalItem& item) {
  require(!item.references.empty(), ErrorKind::invalid_data, "bleu4: an item has no reference caption");
  const std::vector<std::string> tokens = caption_tokens(item.prediction);
  const NgramCounts counts = count_ngrams(tokens);
  BleuSums sums;
  sums.length = static_cast<double>(tokens.size());
  NgramCounts highest;
  double nearest = -1;
  for (const std::string& reference : item.references) {
    const std::vector<std::string> reference_tokens = caption_tokens(reference);
    const double length = static_cast<double>(reference_tokens.size());
    const double gap = std::abs(length - sums.length), nearest_gap = std::abs(nearest - sums.length);
    if (nearest < 0 || gap < nearest_gap || (gap == nearest_gap && length < nearest)) nearest = length;
    const NgramCounts reference_counts = count_ngrams(reference_tokens);
    for (size_t n = 0; n < kMaxNgram; ++n) {
      for (const auto& [ngram, count] : reference_counts[n]) highest[n][ngram] = std::max(highest[n][ngram], count);
    }
  }
  sums.reference_length = nearest;
  for (size_t n = 0; n < kMaxNgram; ++n) {
    sums.guessed[n] = tokens.size() > n ? static_cast<double>(tokens.size() - n) : 0.0;
    for (const auto& [ngram, count] : counts[n]) {
      const auto found = highest[n].find(ngram);
      if (found != highest[n].end()) sums.clipped[n] += std::min(count, found->second);
    }
  }
  return sums;
}

}  // namespace

MetricValue bleu4(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<BleuSums> sums;
  sums.reserve(items.size());
  BleuSums corpus;
  for (const EvalItem& item : items) {
    sums.push_back(item_sums(item));
    corpus.add(sums.back(), 1.0);
  }
  const Interval ci95 = bootstrap_interval(items.size(), options, [&](std::span<const uint32_t> draws) {
    BleuSums resample;
    for (size_t i = 0; i < sums.size(); ++i) {
      if (draws[i] > 0) resample.add(sums[i], draws[i]);
    }
    return resample.score();
  });
  return {corpus.score(), ci95};
}

}  // namespace sensorium::eval
