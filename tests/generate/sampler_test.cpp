#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace sensorium::generate {
namespace {

TEST(Sampler, GreedyTakesTheLargestLogit) {
  Sampler sampler({});
  const std::vector<float> logits = {0.5f, 3.0f, -1.0f, 2.9f};
  EXPECT_EQ(sampler.choose(logits), 1);
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

TEST(Sampler, RefusesBadOptionsAndLogits) {
  EXPECT_THROW(Sampler({.temperature = -1}), Error);
  EXPECT_THROW(Sampler({.top_p = 0}), Error);
  EXPECT_THROW(Sampler({.top_k = -1}), Error);
  Sampler sampler({});
  const std::vector<float> broken = {1.0f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(sampler.choose(broken), Error);
  EXPECT_THROW(sampler.choose({}), Error);
}

}  // namespace
}  // namespace sensorium::generate
