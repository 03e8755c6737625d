#include "eval/metrics/cider.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "eval/metrics/bootstrap.h"
#include "eval/metrics/ngrams.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {
namespace {

constexpr double kSigma = 6.0;  // in words

struct Sentence {
  NgramCounts counts;
  double words;
};

Sentence read_sentence(const std::string& text) {
  const std::vector<std::string> tokens = caption_tokens(text);
  return {count_ngrams(tokens), static_cast<double>(tokens.size())};
}

class InverseDocumentFrequency {
 public:
  explicit InverseDocumentFrequency(const std::vector<std::vector<Sentence>>& documents)
      : log_documents_(std::log(static_cast<double>(documents.size()))) {
    for (const std::vector<Sentence>& references : documents) {
      for (size_t n = 0; n < kMaxNgram; ++n) {
        std::unordered_set<std::string> seen;
        for (const Sentence& reference : references) {
          for (const auto& [ngram, count] : reference.counts[n]) seen.insert(ngram);
        }
        for (const std::string& ngram : seen) ++documents_with_[n][ngram];
      }
    }
  }

  // log(documents / documents that hold the n-gram); an unseen n-gram counts as seen once.
  double operator()(size_t n, const std::string& ngram) const {
    const auto found = documents_with_[n].find(ngram);
    return log_documents_ - (found == documents_with_[n].end() ? 0.0 : std::log(static_cast<double>(found->second)));
  }

 private:
  double log_documents_;
  NgramCounts documents_with_;
};

double squared_norm(const Sentence& sentence, size_t n, const InverseDocumentFrequency& idf) {
  double sum = 0;
  for (const auto& [ngram, count] : sentence.counts[n]) {
    const double weight = count * idf(n, ngram);
    sum += weight * weight;
  }
  return sum;
}

double similarity(const Sentence& prediction, const Sentence& reference, const InverseDocumentFrequency& idf) {
  double sum = 0;
  for (size_t n = 0; n < kMaxNgram; ++n) {
    double dot = 0;
    for (const auto& [ngram, count] : prediction.counts[n]) {
      const auto found = reference.counts[n].find(ngram);
      if (found == reference.counts[n].end()) continue;
      const double weight = idf(n, ngram);
      dot += weight * weight * std::min(count, found->second) * found->second;
    }
    const double norms = std::sqrt(squared_norm(prediction, n, idf) * squared_norm(reference, n, idf));
    if (norms > 0) sum += dot / norms;
  }
  const double gap = prediction.words - reference.words;
  return sum / kMaxNgram * std::exp(-gap * gap / (2 * kSigma * kSigma));
}

}  // namespace

MetricValue cider(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<std::vector<Sentence>> documents;
  for (const EvalItem& item : items) {
    require(!item.references.empty(), ErrorKind::invalid_data, "cider: an item has no reference caption");
    documents.emplace_back();
    for (const std::string& reference : item.references) documents.back().push_back(read_sentence(reference));
  }
  const InverseDocumentFrequency idf(documents);
  std::vector<double> scores;
  for (size_t i = 0; i < items.size(); ++i) {
    const Sentence prediction = read_sentence(items[i].prediction);
    double sum = 0;
    for (const Sentence& reference : documents[i]) sum += similarity(prediction, reference, idf);
    scores.push_back(10 * sum / static_cast<double>(documents[i].size()));
  }
  return mean_with_interval(scores, options);
}

}  // namespace sensorium::eval
