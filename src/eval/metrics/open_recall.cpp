#include "eval/metrics/open_recall.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "eval/metrics/bootstrap.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {
namespace {

const std::string& reference_of(const EvalItem& item) {
  require(!item.references.empty(), ErrorKind::invalid_data, "an item has no reference answer");
  return item.references[0];
}

bool is_yes_or_no(const std::string& word) { return word == "yes" || word == "no"; }

std::vector<std::string> words_of(const std::string& answer) {
  std::istringstream text(normalize_answer(answer));
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(std::move(word));
  return words;
}

// The first yes or no of an answer, or "".
std::string decision(const std::string& answer) {
  const std::vector<std::string> words = words_of(answer);
  const auto found = std::ranges::find_if(words, is_yes_or_no);
  return found == words.end() ? "" : *found;
}

double recall(const EvalItem& item) {
  const std::vector<std::string> truth = words_of(reference_of(item)), said = words_of(item.prediction);
  if (truth.empty()) return said.empty() ? 1.0 : 0.0;
  const auto found = std::ranges::count_if(
      truth, [&](const std::string& word) { return std::ranges::find(said, word) != said.end(); });
  return static_cast<double>(found) / static_cast<double>(truth.size());
}

}  // namespace

bool is_closed(const EvalItem& item) { return is_yes_or_no(normalize_answer(reference_of(item))); }

MetricValue closed_accuracy(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> right;
  for (const EvalItem& item : items) {
    require(is_closed(item), ErrorKind::invalid_data, "closed_accuracy: the true answer \"{}\" is neither yes nor no",
            reference_of(item));
    right.push_back(decision(item.prediction) == normalize_answer(reference_of(item)) ? 1.0 : 0.0);
  }
  return mean_with_interval(right, options);
}

MetricValue open_recall(std::span<const EvalItem> items, const BootstrapOptions& options) {
  std::vector<double> shares;
  for (const EvalItem& item : items) shares.push_back(recall(item));
  return mean_with_interval(shares, options);
}

}  // namespace sensorium::eval
