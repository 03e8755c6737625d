// Metrics against independent Python implementations (tools/golden/eval_metrics.py), values and intervals.
#include <gtest/gtest.h>

#include "base/json.h"
#include "eval/metrics/detection.h"
#include "eval/metrics/registry.h"

namespace sensorium::eval {
namespace {

constexpr double kTolerance = 1e-9;

const Json& golden() {
  static const Json file = read_json_file(SENSORIUM_SOURCE_DIR "/tests/golden/eval/metrics.json");
  return file;
}

std::vector<EvalItem> text_items(const Json& list) {
  std::vector<EvalItem> items;
  for (const Json& entry : list) {
    items.push_back({.prediction = entry.at("prediction"), .references = entry.at("references")});
  }
  return items;
}

std::vector<EvalItem> detection_items() {
  std::vector<EvalItem> items;
  for (const Json& image : golden().at("detection").at("images")) {
    EvalItem& item = items.emplace_back();
    for (const Json& box : image.at("truth")) item.truth_boxes.push_back({box.at("box"), box.at("label")});
    for (const Json& box : image.at("predicted")) {
      item.predicted_boxes.push_back({box.at("box"), box.at("label"), box.at("score")});
    }
  }
  return items;
}

void expect_metric(const char* name, const std::vector<EvalItem>& items, double value, const Json& ci95) {
  const MetricValue result = find_metric(name).compute(items, {});
  EXPECT_NEAR(result.value, value, kTolerance) << name;
  EXPECT_NEAR(result.ci95.low, ci95.at(0).get<double>(), kTolerance) << name;
  EXPECT_NEAR(result.ci95.high, ci95.at(1).get<double>(), kTolerance) << name;
}

TEST(GoldenMetrics, Detection) {
  const Json& expected = golden().at("detection");
  const auto items = detection_items();
  expect_metric("map50", items, expected.at("map50"), expected.at("ci95"));
  const DetectionScores scores = evaluate_detections(items);
  ASSERT_EQ(scores.average_precision.size(), expected.at("ap").size());
  for (const auto& [label, ap] : scores.average_precision) {
    EXPECT_NEAR(ap, expected.at("ap").at(label).get<double>(), kTolerance) << label;
  }
}

TEST(GoldenMetrics, Captions) {
  const Json& expected = golden().at("captions");
  const auto items = text_items(expected.at("items"));
  expect_metric("bleu4", items, expected.at("bleu4"), expected.at("bleu4_ci95"));
  expect_metric("cider", items, expected.at("cider"), expected.at("cider_ci95"));
}

TEST(GoldenMetrics, Transcripts) {
  const Json& expected = golden().at("transcripts");
  const auto items = text_items(expected.at("items"));
  expect_metric("wer", items, expected.at("wer"), expected.at("wer_ci95"));
  expect_metric("cer", items, expected.at("cer"), expected.at("cer_ci95"));
}

TEST(GoldenMetrics, Classes) {
  const Json& expected = golden().at("classes");
  std::vector<EvalItem> items;
  for (size_t i = 0; i < expected.at("truth").size(); ++i) {
    items.push_back({.prediction = expected.at("predicted")[i], .references = {expected.at("truth")[i]}});
  }
  expect_metric("accuracy", items, expected.at("accuracy"), expected.at("accuracy_ci95"));
  expect_metric("macro_f1", items, expected.at("macro_f1"), expected.at("macro_f1_ci95"));
}

TEST(GoldenMetrics, Counts) {
  const Json& expected = golden().at("counts");
  std::vector<EvalItem> items;
  for (const Json& pair : expected.at("pairs")) {
    items.push_back({.prediction = "there are " + std::to_string(pair[1].get<int>()),
                     .references = {std::to_string(pair[0].get<int>())}});
  }
  expect_metric("count_mae", items, expected.at("count_mae"), expected.at("count_mae_ci95"));
  EXPECT_NEAR(find_metric("count_exact").compute(items, {}).value, expected.at("count_exact").get<double>(),
              kTolerance);
}

TEST(GoldenMetrics, Perplexity) {
  const Json& expected = golden().at("perplexity");
  std::vector<EvalItem> items;
  for (const Json& pair : expected.at("pairs")) {
    items.push_back({.negative_log_likelihood = pair[0], .tokens = pair[1]});
  }
  expect_metric("perplexity", items, expected.at("perplexity"), expected.at("ci95"));
}

}  // namespace
}  // namespace sensorium::eval
