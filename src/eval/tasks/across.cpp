// Media of one sense by media of another one: what belongs together is what is of the same class. No pair of two such senses need
// ever have been seen together in training: then what is measured has emerged from what both have in common with texts.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "eval/tasks/media_vectors.h"
#include "eval/tasks/tasks.h"
#include "models/embedding/vectors.h"
#include "ops/ops.h"

namespace sensorium::eval {
namespace {

using models::InputSense;

constexpr std::array<int64_t, 3> kDepths = {1, 5, 10};
constexpr int64_t kPairsOfAClass = 50;  // of each answer, at most
constexpr uint64_t kPairs = 0xAC;       // a stream of the seed of its own

struct Media {
  std::vector<Tensor> vectors_1C;
  std::vector<std::string> labels;
};

// The probability that as many or more of independent events happen, each with its own probability.
double at_least(int64_t happened, const std::vector<double>& probabilities) {
  std::vector<double> counts = {1.0};
  for (const double p : probabilities) {
    counts.push_back(0);
    for (size_t k = counts.size() - 1; k > 0; --k) counts[k] = counts[k] * (1 - p) + counts[k - 1] * p;
    counts[0] *= 1 - p;
  }
  double tail = 0;
  for (size_t k = static_cast<size_t>(happened); k < counts.size(); ++k) tail += counts[k];
  return std::min(tail, 1.0);
}

MetricValue plain(double value) { return {value, {value, value}}; }

class AcrossTask : public Task {
 public:
  void add(Examiner& examiner) override {
    const auto& [sense, vector_1C] = media_vector(examiner);
    same_cosine_ = examiner.model().embedder()->same_cosine();
    media_[sense].vectors_1C.push_back(models::unit_rows(vector_1C));
    media_[sense].labels.push_back(examiner.record().label);
  }

  std::vector<EvalResult> results(const BootstrapOptions& bootstrap) const override {
    std::vector<EvalResult> all;
    for (const auto& [asked, queries] : media_) {
      for (const auto& [found, candidates] : media_) {
        if (asked == found) continue;
        const Media from = shared(queries, candidates), to = shared(candidates, queries);
        // One class, or none, leaves nothing to tell apart.
        if (std::ranges::all_of(from.labels, [&](const std::string& label) { return label == from.labels.front(); }))
          continue;
        all.push_back(recalls(fmt::format("{} by {}", name_of(found), name_of(asked)), from, to, bootstrap));
        if (asked < found) {
          all.push_back(same(fmt::format("{} and {}: the same?", name_of(asked), name_of(found)), from, to, bootstrap));
        }
      }
    }
    return all;
  }

 private:
  // Those of the first whose class the second has too.
  static Media shared(const Media& media, const Media& other) {
    Media result;
    for (size_t i = 0; i < media.labels.size(); ++i) {
      if (std::ranges::find(other.labels, media.labels[i]) == other.labels.end()) continue;
      result.vectors_1C.push_back(media.vectors_1C[i]);
      result.labels.push_back(media.labels[i]);
    }
    return result;
  }

  static Tensor cosines(const Media& from, const Media& to) {
    const NoGrad no_grad;
    return ops::linear(ops::concat_rows(from.vectors_1C), ops::concat_rows(to.vectors_1C));
  }

  static EvalResult recalls(const std::string& label, const Media& from, const Media& to,
                            const BootstrapOptions& bootstrap) {
    const Tensor cosines_QM = cosines(from, to);
    const auto queries = static_cast<int64_t>(from.labels.size()), media = static_cast<int64_t>(to.labels.size());
    std::vector<int64_t> before;  // wrong ones before the first right one; equals count as wrong
    std::vector<double> chances;
    for (int64_t q = 0; q < queries; ++q) {
      const float* row = cosines_QM.data<float>() + q * media;
      const auto is_right = [&](int64_t m) {
        return to.labels[static_cast<size_t>(m)] == from.labels[static_cast<size_t>(q)];
      };
      float best = -2.0f;
      int64_t right = 0, wrong = 0;
      for (int64_t m = 0; m < media; ++m) {
        if (!is_right(m)) continue;
        best = std::max(best, row[m]);
        ++right;
      }
      for (int64_t m = 0; m < media; ++m) wrong += !is_right(m) && row[m] >= best;
      before.push_back(wrong);
      chances.push_back(static_cast<double>(right) / static_cast<double>(media));
    }
    EvalResult result{.task = "across", .label = label, .n = queries};
    for (const int64_t depth : kDepths) {
      std::vector<EvalItem> items;
      for (const int64_t wrong : before)
        items.push_back({.prediction = wrong < depth ? "found" : "", .references = {"found"}});
      const EvalResult one = make_result("across", items, std::array<std::string_view, 1>{"accuracy"}, bootstrap);
      result.metrics.emplace_back(fmt::format("recall@{}", depth), one.metrics.front().second);
    }
    double chance = 0;
    for (const double p : chances) chance += p / static_cast<double>(queries);
    result.metrics.emplace_back("chance@1", plain(chance));
    result.metrics.emplace_back("p_value@1", plain(at_least(std::ranges::count(before, 0), chances)));
    return result;
  }

  // "Is the thing in the picture the one you hear?": as many pairs of a class as pairs of it and another one, drawn at random, each
  // judged by the model's own threshold (if it has one); and which of two media is the one that belongs to a third.
  EvalResult same(const std::string& label, const Media& from, const Media& to,
                  const BootstrapOptions& bootstrap) const {
    const Tensor cosines_QM = cosines(from, to);
    const auto media = static_cast<int64_t>(to.labels.size());
    std::map<std::string, std::vector<int64_t>> of_from, of_to;
    for (size_t i = 0; i < from.labels.size(); ++i) of_from[from.labels[i]].push_back(static_cast<int64_t>(i));
    for (size_t i = 0; i < to.labels.size(); ++i) of_to[to.labels[i]].push_back(static_cast<int64_t>(i));
    std::vector<EvalItem> decided, chosen;
    for (const auto& [name, own] : of_from) {
      const std::vector<int64_t>& partners = of_to.at(name);
      std::vector<int64_t> others;
      for (const auto& [other, members] : of_to) {
        if (other != name) others.insert(others.end(), members.begin(), members.end());
      }
      const int64_t pairs =
          std::min(kPairsOfAClass, static_cast<int64_t>(own.size()) * static_cast<int64_t>(partners.size()));
      Rng rng = Rng::for_item(bootstrap.seed ^ kPairs, chosen.size());
      for (int64_t i = 0; i < pairs; ++i) {
        const int64_t query = rng.pick(own);
        const float right = cosines_QM.data<float>()[query * media + rng.pick(partners)];
        const float wrong = cosines_QM.data<float>()[query * media + rng.pick(others)];
        chosen.push_back({.prediction = right > wrong ? "right" : "wrong", .references = {"right"}});
        if (!same_cosine_) continue;
        decided.push_back({.prediction = right > *same_cosine_ ? "yes" : "no", .references = {"yes"}});
        decided.push_back({.prediction = wrong > *same_cosine_ ? "yes" : "no", .references = {"no"}});
      }
    }
    EvalResult result{.task = "across", .label = label, .n = static_cast<int64_t>(2 * chosen.size())};
    const auto add = [&](const char* metric, const std::vector<EvalItem>& items) {
      if (items.empty()) return;
      const EvalResult one = make_result("across", items, std::array<std::string_view, 1>{"accuracy"}, bootstrap);
      result.metrics.emplace_back(metric, one.metrics.front().second);
    };
    add("yes or no", decided);
    add("one of two", chosen);
    return result;
  }

  std::map<InputSense, Media> media_;
  std::optional<double> same_cosine_;
};

}  // namespace

bool carries_across(const data::Record& record) { return has_media(record) && !record.label.empty(); }
std::unique_ptr<Task> make_across(const Overview&) { return std::make_unique<AcrossTask>(); }

}  // namespace sensorium::eval
