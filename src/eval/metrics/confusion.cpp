#include "eval/metrics/confusion.h"

#include <algorithm>

#include "eval/metrics/bootstrap.h"

namespace sensorium::eval {
namespace {

struct LabelledItems {
  std::vector<std::string> classes;
  std::vector<size_t> truths, predictions;  // indices into classes
};

LabelledItems label_items(std::span<const EvalItem> items) {
  LabelledItems out;
  for (const EvalItem& item : items) {
    require(!item.references.empty(), ErrorKind::invalid_data, "confusion matrix: an item has no true class");
    out.classes.push_back(class_key(item.prediction));
    out.classes.push_back(class_key(item.references[0]));
  }
  std::sort(out.classes.begin(), out.classes.end());
  out.classes.erase(std::unique(out.classes.begin(), out.classes.end()), out.classes.end());
  auto index = [&](const std::string& name) {
    const std::string key = class_key(name);
    return static_cast<size_t>(std::lower_bound(out.classes.begin(), out.classes.end(), key) - out.classes.begin());
  };
  for (const EvalItem& item : items) {
    out.truths.push_back(index(item.references[0]));
    out.predictions.push_back(index(item.prediction));
  }
  return out;
}

ConfusionMatrix count(const LabelledItems& labelled, std::span<const uint32_t> draws) {
  ConfusionMatrix matrix{labelled.classes, std::vector<int64_t>(labelled.classes.size() * labelled.classes.size())};
  for (size_t i = 0; i < labelled.truths.size(); ++i) {
    matrix.counts[labelled.truths[i] * matrix.classes.size() + labelled.predictions[i]] += draws[i];
  }
  return matrix;
}

}  // namespace

std::string class_key(std::string_view name) {
  static constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = name.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  std::string key(name.substr(first, name.find_last_not_of(kSpace) - first + 1));
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return key;
}

std::vector<ClassScores> ConfusionMatrix::scores() const {
  const size_t n = classes.size();
  auto share = [](int64_t part, int64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  std::vector<ClassScores> out;
  for (size_t c = 0; c < n; ++c) {
    int64_t truths = 0, predictions = 0;
    for (size_t other = 0; other < n; ++other) {
      truths += at(c, other);
      predictions += at(other, c);
    }
    const int64_t hits = at(c, c);
    out.push_back(
        {share(hits, predictions), share(hits, truths), share(2 * hits, truths + predictions), truths, predictions});
  }
  return out;
}

double ConfusionMatrix::macro_f1() const {
  double sum = 0;
  int64_t present = 0;
  for (const ClassScores& score : scores()) {
    if (score.truths == 0) continue;
    sum += score.f1;
    ++present;
  }
  return present == 0 ? 0.0 : sum / static_cast<double>(present);
}

ConfusionMatrix confusion_matrix(std::span<const EvalItem> items) {
  return count(label_items(items), std::vector<uint32_t>(items.size(), 1));
}

MetricValue macro_f1(std::span<const EvalItem> items, const BootstrapOptions& options) {
  const LabelledItems labelled = label_items(items);
  const Interval ci95 = bootstrap_interval(
      items.size(), options, [&](std::span<const uint32_t> draws) { return count(labelled, draws).macro_f1(); });
  return {count(labelled, std::vector<uint32_t>(items.size(), 1)).macro_f1(), ci95};
}

}  // namespace sensorium::eval
