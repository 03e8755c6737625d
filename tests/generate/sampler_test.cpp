#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"

namespace sensorium::generate {
namespace {

TEST(Sampler, GreedyTakesTheLargestLogit) {
  Sampler sampler({});
  const std::vector<float> logits = {0.5f, 3.0f, -1.0f, 2.9f};
  EXPECT_EQ(sampler.choose(logits), 1);
}

// Wherever it stands, in vocabularies of every length around whole vectors and words of bits; of equal ones the first.
TEST(Sampler, GreedyLooksEverywhere) {
  Sampler sampler({});
  for (const size_t size : {1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 130}) {
    for (size_t at = 0; at < size; ++at) {
      std::vector<float> logits(size, -3.0f);
      std::vector<uint64_t> allowed(size / 64 + 1);
      logits[at] = -2.0f;
      EXPECT_EQ(sampler.choose(logits), static_cast<int32_t>(at)) << size;
      logits.back() = -2.0f;
      EXPECT_EQ(sampler.choose(logits), static_cast<int32_t>(at)) << size;
      std::fill(logits.begin(), logits.end(), 5.0f);
      logits[at] = -7.0f;
      allowed[at / 64] = uint64_t{1} << (at % 64);
      EXPECT_EQ(sampler.choose(logits, allowed), static_cast<int32_t>(at)) << size;
    }
  }
}

TEST(Sampler, SameSeedSameTokens) {
  const std::vector<float> logits = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f};
  Sampler a({.temperature = 1.0, .seed = 7}), b({.temperature = 1.0, .seed = 7}), c({.temperature = 1.0, .seed = 8});
  std::vector<int32_t> first, second, third;
  for (int i = 0; i < 100; ++i) {
    first.push_back(a.choose(logits));
    second.push_back(b.choose(logits));
    third.push_back(c.choose(logits));
  }
  EXPECT_EQ(first, second);
  EXPECT_NE(first, third);
}

TEST(Sampler, FrequenciesFollowTheSoftmax) {
  // Probabilities 0.2, 0.3, 0.5; 20,000 draws: three standard deviations are below 0.011.
  const std::vector<float> logits = {std::log(0.2f), std::log(0.3f), std::log(0.5f)};
  Sampler sampler({.temperature = 1.0, .seed = 1});
  std::vector<int> count(3);
  for (int i = 0; i < 20000; ++i) ++count[static_cast<size_t>(sampler.choose(logits))];
  EXPECT_NEAR(count[0] / 20000.0, 0.2, 0.011);
  EXPECT_NEAR(count[1] / 20000.0, 0.3, 0.011);
  EXPECT_NEAR(count[2] / 20000.0, 0.5, 0.011);
}

TEST(Sampler, TopPAndTopKCutTheTail) {
  const std::vector<float> logits = {std::log(0.2f), std::log(0.3f), std::log(0.5f)};
  Sampler nucleus({.temperature = 1.0, .top_p = 0.6, .seed = 1}), best({.temperature = 1.0, .top_k = 1, .seed = 1});
  for (int i = 0; i < 200; ++i) {
    EXPECT_NE(nucleus.choose(logits), 0);
    EXPECT_EQ(best.choose(logits), 2);
  }
}

// Every token that `draws` draws of a sampler can give.
std::vector<int32_t> reachable(Sampler sampler, const std::vector<float>& logits, int draws = 3000) {
  std::set<int32_t> tokens;
  for (int i = 0; i < draws; ++i) tokens.insert(sampler.choose(logits));
  return {tokens.begin(), tokens.end()};
}

TEST(Sampler, MinPKeepsWhatIsNearTheLikeliest) {
  // Probabilities 0.4, 0.1, 0.3, 0.2.
  const std::vector<float> logits = {std::log(0.4f), std::log(0.1f), std::log(0.3f), std::log(0.2f)};
  EXPECT_EQ(reachable(Sampler({.temperature = 1, .min_p = 0.6}), logits), (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(reachable(Sampler({.temperature = 1, .min_p = 0.45}), logits), (std::vector<int32_t>{0, 2, 3}));
  EXPECT_EQ(reachable(Sampler({.temperature = 1, .min_p = 1}), logits), (std::vector<int32_t>{0}));
  // After the temperature: at 0.5 the ratio of 3 to 4 is that of their squares, 0.5625.
  EXPECT_EQ(reachable(Sampler({.temperature = 0.5, .min_p = 0.6}), logits), (std::vector<int32_t>{0}));
}

TEST(Sampler, TopPCountsWhatTopKLeft) {
  const std::vector<float> logits = {std::log(0.4f), std::log(0.1f), std::log(0.3f), std::log(0.2f)};
  // Of 0.4 and 0.3 the first has 0.57.
  EXPECT_EQ(reachable(Sampler({.temperature = 1, .top_p = 0.55, .top_k = 2}), logits), (std::vector<int32_t>{0}));
  EXPECT_EQ(reachable(Sampler({.temperature = 1, .top_p = 0.55}), logits), (std::vector<int32_t>{0, 2}));
}

// More tokens than are sorted at once.
TEST(Sampler, TopPOfManyEqualTokens) {
  std::vector<float> logits(1000, -1.0f);
  logits[7] = -0.5f;
  const std::vector<int32_t> tokens = reachable(Sampler({.temperature = 1, .top_p = 0.3, .seed = 3}), logits, 20000);
  // exp(0.5) = 1.65 and 999 ones: 0.3 of 1000.65 needs token 7 and 299 others, those with the lowest ids.
  ASSERT_EQ(tokens.size(), 300u);
  EXPECT_EQ(tokens.back(), 299);
}

TEST(Sampler, PenaltiesByHand) {
  const std::vector<float> logits = {2.0f, 1.6f, -1.0f, -1.8f};
  const std::vector<int32_t> prompt = {0, -1};
  // 2 / 1.5 = 1.33 falls behind 1.6, which 1.6 / 1.5 = 1.07 does once it was said; -1 * 1.5 stays ahead of -1.8.
  Sampler repetition({.repetition_penalty = 1.5}, prompt);
  EXPECT_EQ(repetition.choose(logits), 1);
  repetition.accept(1);
  EXPECT_EQ(repetition.choose(logits), 0);
  Sampler negative({.repetition_penalty = 1.5}, std::vector<int32_t>{2});
  EXPECT_EQ(negative.choose(std::vector<float>{-9, -9, -1.0f, -1.4f}), 3);  // -1 * 1.5 falls behind -1.4

  // Each time costs 0.3 and the first another 0.05: 2 - 0.35 stays ahead of 1.6, 2 - 0.65 does not.
  Sampler counted({.frequency_penalty = 0.3, .presence_penalty = 0.05}, prompt);
  EXPECT_EQ(counted.choose(logits), 0);
  counted.accept(0);
  EXPECT_EQ(counted.choose(logits), 0);
  counted.accept(0);
  EXPECT_EQ(counted.choose(logits), 1);
  // Negative penalties favour what was said.
  Sampler fond({.presence_penalty = -1});
  fond.accept(1);
  EXPECT_EQ(fond.choose(logits), 1);
}

TEST(Sampler, BiasAndAllowedTokens) {
  const std::vector<float> logits = {2.0f, 1.6f, -1.0f, -1.8f};
  EXPECT_EQ(Sampler({.logit_bias = {{3, 4.0f}}}).choose(logits), 3);
  EXPECT_EQ(Sampler({.logit_bias = {{0, -100.0f}}}).choose(logits), 1);
  const std::vector<uint64_t> allowed = {0b1100};
  EXPECT_EQ(Sampler({}).choose(logits, allowed), 2);
  EXPECT_EQ(reachable(Sampler({.temperature = 2}), logits).size(), 4u);
  Sampler sampler({.temperature = 2});
  for (int i = 0; i < 100; ++i) EXPECT_GE(sampler.choose(logits, allowed), 2);
  EXPECT_THROW(sampler.choose(logits, std::vector<uint64_t>{0b110000}), Error);
  EXPECT_THROW(Sampler({.logit_bias = {{4, 1.0f}}}).choose(logits), Error);
}

TEST(Sampler, InfiniteLogits) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {1.0f, -inf, inf, 2.0f};
  EXPECT_EQ(reachable(Sampler({.temperature = 1}), logits), (std::vector<int32_t>{2}));
}

TEST(LogProbabilities, OfTheRawLogits) {
  const std::vector<float> logits = {std::log(0.2f) + 7, std::log(0.3f) + 7, std::log(0.5f) + 7};
  const TokenLogProbabilities result = log_probabilities(logits, 0, 2);
  EXPECT_NEAR(result.chosen.log_probability, std::log(0.2), 1e-6);
  ASSERT_EQ(result.top.size(), 2u);
  EXPECT_EQ(result.top[0].token, 2);
  EXPECT_NEAR(result.top[1].log_probability, std::log(0.3), 1e-6);
  EXPECT_EQ(log_probabilities(logits, 1, 20).top.size(), 3u);
  EXPECT_THROW(log_probabilities(logits, 3, 0), Error);
}

TEST(Sampler, RefusesBadOptionsAndLogits) {
  EXPECT_THROW(Sampler({.temperature = -1}), Error);
  EXPECT_THROW(Sampler({.top_p = 0}), Error);
  EXPECT_THROW(Sampler({.top_k = -1}), Error);
  EXPECT_THROW(Sampler({.min_p = 1.1}), Error);
  EXPECT_THROW(Sampler({.repetition_penalty = 0}), Error);
  EXPECT_THROW(Sampler({.frequency_penalty = 2.1}), Error);
  EXPECT_THROW(Sampler({.presence_penalty = -2.1}), Error);
  EXPECT_THROW(Sampler({.presence_penalty = std::nan("")}), Error);
  EXPECT_THROW(Sampler({.logit_bias = {{-1, 0.0f}}}), Error);
  EXPECT_THROW(Sampler({.logit_bias = {{1, 101.0f}}}), Error);
  Sampler sampler({});
  const std::vector<float> broken = {1.0f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(sampler.choose(broken), Error);
  EXPECT_THROW(sampler.choose({}), Error);
}

}  // namespace
}  // namespace sensorium::generate
