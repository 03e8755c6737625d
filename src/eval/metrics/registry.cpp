#include "eval/metrics/registry.h"

#include "base/json.h"
#include "eval/metrics/accuracy.h"
#include "eval/metrics/bleu.h"
#include "eval/metrics/cider.h"
#include "eval/metrics/confusion.h"
#include "eval/metrics/counting.h"
#include "eval/metrics/detection.h"
#include "eval/metrics/error_rate.h"
#include "eval/metrics/exact_match.h"
#include "eval/metrics/open_recall.h"
#include "eval/metrics/perplexity.h"

namespace sensorium::eval {
namespace {

constexpr MetricEntry kMetrics[] = {
    {"accuracy", "share of items whose class is right", "", Better::higher, accuracy},
    {"macro_f1", "F1 averaged over the classes that occur", "", Better::higher, macro_f1},
    {"exact_match", "share of short answers that are right after normalisation", "", Better::higher, exact_match},
    {"closed_accuracy", "share of yes/no questions whose answer says the right one", "", Better::higher,
     closed_accuracy},
    {"open_recall", "share of the true answer's words that are said, of open questions", "", Better::higher,
     open_recall},
    {"count_mae", "mean absolute error of counts", "objects", Better::lower, count_mae},
    {"count_exact", "share of counts that are exactly right", "", Better::higher, count_exact},
    {"rmse", "root mean squared error of measured numbers", "", Better::lower, rmse},
    {"map50", "mean average precision of boxes at IoU 0.5 (COCO, 101 points)", "", Better::higher, map50},
    {"bleu4", "BLEU with 1- to 4-grams over the corpus", "", Better::higher, bleu4},
    {"cider", "CIDEr-D with document frequencies of these references", "", Better::higher, cider},
    {"wer", "word errors per true word", "", Better::lower, wer},
    {"cer", "character errors per true character", "", Better::lower, cer},
    {"perplexity", "exponential of the mean negative log-likelihood per token", "", Better::lower, perplexity},
};

}  // namespace

std::span<const MetricEntry> metric_table() { return kMetrics; }

const MetricEntry& find_metric(std::string_view name) {
  std::vector<std::string> names;
  for (const MetricEntry& entry : kMetrics) {
    if (entry.name == name) return entry;
    names.emplace_back(entry.name);
  }
  const std::string near = nearest_match(name, names);
  fail(ErrorKind::not_found, "no metric is called '{}'{}", name,
       near.empty() ? fmt::format("; known: {}", fmt::join(names, ", ")) : fmt::format("; did you mean '{}'?", near));
}

}  // namespace sensorium::eval
