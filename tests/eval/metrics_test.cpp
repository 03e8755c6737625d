// Hand-computed values, edge cases and bad input of the metrics.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <set>

#include "base/rng.h"
#include "eval/metrics/bootstrap.h"
#include "eval/metrics/confusion.h"
#include "eval/metrics/detection.h"
#include "eval/metrics/error_rate.h"
#include "eval/metrics/exact_match.h"
#include "eval/metrics/open_recall.h"
#include "eval/metrics/registry.h"
#include "eval/metrics/text_norm.h"

namespace sensorium::eval {
namespace {

EvalItem answer(std::string said, std::string truth) {
  return {.prediction = std::move(said), .references = {std::move(truth)}};
}

double value_of(std::string_view metric, const std::vector<EvalItem>& items) {
  return find_metric(metric).compute(items, {}).value;
}

TEST(NormalizeAnswer, MeansTheSame) {
  const std::pair<const char*, const char*> equal[] = {
      {"two", "2"},
      {"Two.", "2"},
      {" The dog! ", "dog"},
      {"twenty-one", "21"},
      {"twenty one", "21"},
      {"ninety", "90"},
      {"1,000", "1000"},
      {"3.0", "3"},
      {"007", "7"},
      {"-0", "0"},
      {".5", "0.5"},
      {"-2.50", "-2.5"},
      {"none", "0"},
      {"YES", "yes"},
      {"true", "yes"},
      {"False.", "no"},
      {"an apple", "apple"},
      {"don\xE2\x80\x99t", "dont"},
      {"left,right", "left right"},
      {"a", ""},
      {"?!", ""},
      {"3rd", "3rd"},
      {"1.2.3", "1.2.3"},
      {"\xC3\xA9t\xC3\xA9", "\xC3\xA9t\xC3\xA9"},
      {"5 - 3", "5 3"},
      {"2 m.", "2 m"},
  };
  for (const auto& [raw, normal] : equal) EXPECT_EQ(normalize_answer(raw), normal) << raw;
}

TEST(NormalizeAnswer, IsIdempotentOnRandomBytes) {
  Rng rng(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint64_t i = rng.below(12); i > 0; --i) text += "ab the1.,-' 0two\xC3\xFF"[rng.below(17)];
    const std::string once = normalize_answer(text);
    EXPECT_EQ(normalize_answer(once), once) << text;
  }
}

TEST(FirstNumber, DigitsAndWords) {
  EXPECT_EQ(first_number("there are two men and 3 dogs"), 2.0);
  EXPECT_EQ(first_number("about -1.5 m"), -1.5);
  EXPECT_EQ(first_number("1,250 cells"), 1250.0);
  EXPECT_EQ(first_number("no idea"), std::nullopt);
  EXPECT_EQ(first_number("nan inf 3rd"), std::nullopt);
  EXPECT_EQ(first_number(""), std::nullopt);
}

TEST(ExactMatch, YesAndNoAreReadFromTheFirstWord) {
  const std::vector<std::string> no = {"no"}, three = {"3", "several"};
  EXPECT_TRUE(is_exact_match("No, one man does not.", no));
  EXPECT_FALSE(is_exact_match("Yes, no doubt.", no));
  EXPECT_FALSE(is_exact_match("nobody", no));
  EXPECT_TRUE(is_exact_match("three", three));
  EXPECT_TRUE(is_exact_match("Several", three));
  EXPECT_FALSE(is_exact_match("3 or 4", three));
}

EvalItem answered(const std::string& prediction, const std::string& truth) {
  return {.prediction = prediction, .references = {truth}};
}

// LLaVA-Med's: a sentence may hold the answer anywhere.
TEST(ClosedAccuracy, TheFirstYesOrNoDecides) {
  EXPECT_TRUE(is_closed(answered("", "Yes.")));
  EXPECT_FALSE(is_closed(answered("", "the left lung")));
  const auto accuracy_of = [](const std::string& prediction, const std::string& truth) {
    return closed_accuracy(std::vector{answered(prediction, truth)}, {}).value;
  };
  EXPECT_EQ(accuracy_of("The answer is yes, there is a fracture.", "Yes"), 1.0);
  EXPECT_EQ(accuracy_of("No, but yes would be usual.", "yes"), 0.0);
  EXPECT_EQ(accuracy_of("There is a fracture.", "yes"), 0.0);
  EXPECT_EQ(accuracy_of("Nothing of note", "no"), 0.0);
  EXPECT_EQ(accuracy_of("no", "No"), 1.0);
  EXPECT_THROW(accuracy_of("yes", "left"), Error);
}

TEST(OpenRecall, TheShareOfTheTrueWordsThatAreSaid) {
  const auto recall_of = [](const std::string& prediction, const std::string& truth) {
    return open_recall(std::vector{answered(prediction, truth)}, {}).value;
  };
  EXPECT_EQ(recall_of("It lies in the left lower lobe.", "Left lower lobe"), 1.0);
  EXPECT_EQ(recall_of("the left lung", "left lower lobe"), 1.0 / 3.0);
  EXPECT_EQ(recall_of("left", "left, left and right"), 0.5);  // every word of the truth counts
  EXPECT_EQ(recall_of("lefty", "left"), 0.0);
  EXPECT_EQ(recall_of("two nodules", "2 nodules"), 1.0);
  EXPECT_EQ(recall_of("", "left"), 0.0);
  EXPECT_EQ(open_recall(std::vector{answered("a b", "b"), answered("a", "b")}, {}).value, 0.5);
}

TEST(CaptionTokens, TreebankRules) {
  using Tokens = std::vector<std::string>;
  EXPECT_EQ(caption_tokens("A man's T-shirt, isn't it?"), (Tokens{"a", "man", "'s", "t-shirt", "is", "n't", "it"}));
  EXPECT_EQ(caption_tokens("3.5 or 1,000 - (maybe)..."), (Tokens{"3.5", "or", "1,000", "maybe"}));
  EXPECT_EQ(caption_tokens(" .,! "), Tokens{});
}

TEST(Counting, ARunOfDigitsIsNoCount) {
  EXPECT_EQ(value_of("count_mae", {answer("191919191919191919", "3")}), 3);
  EXPECT_EQ(value_of("count_mae", {answer("1,000,000", "3")}), 999997);
  EXPECT_EQ(value_of("count_exact", {answer("2000000", "2000000")}), 1);
}

TEST(Counting, AnswersWithoutNumberAreWrong) {
  const std::vector<EvalItem> items = {answer("none of them know", "0"), answer("many", "0"), answer("lots", "4"),
                                       answer("five", "3")};
  EXPECT_DOUBLE_EQ(value_of("count_mae", items), (0 + 1 + 4 + 2) / 4.0);
  EXPECT_DOUBLE_EQ(value_of("count_exact", items), 0.25);
  EXPECT_THROW(value_of("count_mae", {answer("3", "some")}), Error);
}

TEST(Measuring, TheRootOfTheMeanSquare) {
  // Errors of 1, 0 and, where nothing was said, 2.
  const std::vector<EvalItem> items = {answer("2.5 metres", "1.5"), answer("3.0", "3"), answer("far away", "2.0")};
  EXPECT_DOUBLE_EQ(value_of("rmse", items), std::sqrt(5.0 / 3));
  EXPECT_THROW(value_of("rmse", {answer("3", "near")}), Error);
}

EvalItem image(std::vector<TruthBox> truth, std::vector<ScoredBox> found) {
  return {.predicted_boxes = std::move(found), .truth_boxes = std::move(truth)};
}

TEST(Detection, KnownCurve) {
  // Two true boxes; found: right at .9, wrong at .8, right at .7. Precision 1 up to recall .5 (51 points), then 2/3.
  const std::vector<EvalItem> items = {
      image({{{0, 0, 10, 10}, "a"}, {{20, 0, 30, 10}, "a"}},
            {{{0, 0, 10, 10}, "a", .9}, {{50, 50, 60, 60}, "a", .8}, {{20, 0, 30, 9}, "a", .7}})};
  EXPECT_NEAR(evaluate_detections(items).map, (51 * 1.0 + 50 * (2.0 / 3)) / 101, 1e-12);
}

TEST(Detection, ADoubleCountsAsWrongAndForeignClassesAreFree) {
  const std::vector<TruthBox> truth = {{{0, 0, 10, 10}, "a"}};
  EXPECT_DOUBLE_EQ(value_of("map50", {image(truth, {{{0, 0, 10, 10}, "a", .5}, {{0, 0, 10, 10}, "a", .4}})}), 1.0);
  EXPECT_DOUBLE_EQ(value_of("map50", {image(truth, {{{0, 0, 10, 4.99}, "a", .5}, {{0, 0, 10, 10}, "a", .4}})}), 0.5);
  EXPECT_DOUBLE_EQ(value_of("map50", {image(truth, {{{0, 0, 10, 10}, "b", .5}})}), 0.0);
  EXPECT_DOUBLE_EQ(value_of("map50", {image(truth, {{{0, 0, 10, 10}, "a", .5}, {{0, 0, 9, 9}, "b", .9}})}), 1.0);
  // IoU of exactly one half counts.
  EXPECT_DOUBLE_EQ(value_of("map50", {image(truth, {{{0, 0, 10, 5}, "a", .5}})}), 1.0);
}

TEST(Detection, BadInput) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<TruthBox> truth = {{{0, 0, 10, 10}, "a"}};
  EXPECT_THROW(value_of("map50", {image({}, {{{0, 0, 1, 1}, "a", .5}})}), Error);
  EXPECT_THROW(value_of("map50", {image(truth, {{{0, 0, 1, 1}, "a", nan}})}), Error);
  EXPECT_THROW(value_of("map50", {image(truth, {{{0, 0, nan, 1}, "a", .5}})}), Error);
  EXPECT_THROW(value_of("map50", {image({{{5, 0, 4, 1}, "a"}}, {})}), Error);
  EXPECT_DOUBLE_EQ(box_iou({1, 1, 1, 1}, {1, 1, 1, 1}), 0.0);
}

TEST(Captions, PerfectAndEmpty) {
  EvalItem first{.prediction = "a red cat on a mat", .references = {"a red cat on a mat"}};
  EvalItem second{.prediction = "two dogs run in snow", .references = {"two dogs run in snow"}};
  EXPECT_NEAR(value_of("bleu4", {first, second}), 1.0, 1e-8);
  // Every n-gram occurs in one of the two documents, so every vector is log 2 times its counts: cosine 1.
  EXPECT_NEAR(value_of("cider", {first, second}), 10.0, 1e-12);
  EXPECT_DOUBLE_EQ(value_of("cider", {first}), 0.0);
  first.prediction = second.prediction = "";
  EXPECT_DOUBLE_EQ(value_of("bleu4", {first, second}), 0.0);
  EXPECT_DOUBLE_EQ(value_of("cider", {first, second}), 0.0);
  first.references.clear();
  EXPECT_THROW(value_of("bleu4", {first}), Error);
  EXPECT_THROW(value_of("cider", {first}), Error);
}

TEST(ErrorRate, WordsAndCharacters) {
  const std::vector<std::string> kitten = {"k", "i", "t", "t", "e", "n"}, sitting = {"s", "i", "t", "t", "i", "n", "g"};
  EXPECT_EQ(edit_distance(kitten, sitting), 3u);
  EXPECT_EQ(edit_distance({}, sitting), 7u);
  EXPECT_DOUBLE_EQ(value_of("wer", {answer("Turn on, the light!", "turn the lights on")}), 3.0 / 4);
  EXPECT_DOUBLE_EQ(value_of("wer", {answer("a b c", "x")}), 3.0);
  // é is one character though two bytes.
  EXPECT_DOUBLE_EQ(value_of("cer", {answer("ete", "\xC3\xA9t\xC3\xA9")}), 2.0 / 3);
  EXPECT_THROW(value_of("wer", {answer("word", " ... ")}), Error);
}

TEST(Confusion, MatrixAndScores) {
  const ConfusionMatrix matrix =
      confusion_matrix(std::vector<EvalItem>{answer("Cat ", "cat"), answer("dog", "cat"), answer("dog", "dog")});
  ASSERT_EQ(matrix.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(matrix.counts, (std::vector<int64_t>{1, 1, 0, 1}));
  EXPECT_DOUBLE_EQ(matrix.scores()[0].precision, 1.0);
  EXPECT_DOUBLE_EQ(matrix.scores()[0].recall, 0.5);
  EXPECT_DOUBLE_EQ(matrix.scores()[1].precision, 0.5);
  EXPECT_DOUBLE_EQ(matrix.macro_f1(), 2.0 / 3);
  // A class that is only predicted does not enter the mean.
  EXPECT_DOUBLE_EQ(confusion_matrix(std::vector<EvalItem>{answer("x", "cat"), answer("cat", "cat")}).macro_f1(),
                   2.0 / 3);
}

TEST(Perplexity, PerToken) {
  const std::vector<EvalItem> items = {{.negative_log_likelihood = std::log(8.0), .tokens = 1},
                                       {.negative_log_likelihood = 2 * std::log(8.0), .tokens = 2}};
  const MetricValue result = find_metric("perplexity").compute(items, {});
  EXPECT_NEAR(result.value, 8.0, 1e-12);
  EXPECT_NEAR(result.ci95.low, 8.0, 1e-12);
  EXPECT_THROW(value_of("perplexity", {{.negative_log_likelihood = 1, .tokens = 0}}), Error);
  EXPECT_THROW(value_of("perplexity", {{.negative_log_likelihood = INFINITY, .tokens = 1}}), Error);
}

TEST(Bootstrap, CoversTheNormalApproximation) {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(i % 4 == 0 ? 1.0 : 0.0);
  const MetricValue result = mean_with_interval(values, {});
  const double half_width = 1.96 * std::sqrt(0.25 * 0.75 / 400);
  EXPECT_DOUBLE_EQ(result.value, 0.25);
  EXPECT_NEAR(result.ci95.low, 0.25 - half_width, 0.006);
  EXPECT_NEAR(result.ci95.high, 0.25 + half_width, 0.006);
  const MetricValue again = mean_with_interval(values, {}), other = mean_with_interval(values, {.seed = 2});
  EXPECT_EQ(result.ci95.low, again.ci95.low);
  EXPECT_NE(result.ci95.low + result.ci95.high, other.ci95.low + other.ci95.high);
  EXPECT_THROW(mean_with_interval({}, {}), Error);
  EXPECT_THROW(mean_with_interval(values, {.resamples = 0}), Error);
}

TEST(Bootstrap, OneItemHasNoWidth) {
  const MetricValue result = mean_with_interval(std::vector<double>{0.5}, {});
  EXPECT_EQ(result.ci95.low, 0.5);
  EXPECT_EQ(result.ci95.high, 0.5);
}

TEST(Bootstrap, IsFastForDetections) {
  Rng rng(5);
  std::vector<EvalItem> items(140);
  for (EvalItem& item : items) {
    for (int i = 0; i < 100; ++i) {
      const double x = rng.uniform(0, 300), y = rng.uniform(0, 200);
      item.predicted_boxes.push_back({{x, y, x + 20, y + 20}, i % 2 == 0 ? "helmet" : "head", rng.uniform()});
      if (i < 6) item.truth_boxes.push_back({{x, y, x + 20, y + 22}, i % 2 == 0 ? "helmet" : "head"});
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const MetricValue result = find_metric("map50").compute(items, {});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(result.ci95.low, result.value);
  EXPECT_GT(result.ci95.high, result.value);
  EXPECT_LT(seconds, 5.0);  // 0.05 s when built with optimisation on an idle core
}

TEST(MetricTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const MetricEntry& entry : metric_table()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.description.empty());
    EXPECT_EQ(&find_metric(entry.name), &entry);
    // No items is an error for every metric, not a crash or a zero.
    EXPECT_THROW(entry.compute({}, {}), Error) << entry.name;
  }
  for (const char* name :
       {"accuracy", "exact_match", "count_mae", "count_exact", "map50", "bleu4", "cider", "wer", "cer", "perplexity"}) {
    EXPECT_EQ(find_metric(name).name, name);
  }
  try {
    find_metric("bleu5");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("bleu4"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace sensorium::eval
