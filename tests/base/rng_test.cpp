#include "base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace sensorium {
namespace {

// From an independent program: xoshiro256** with its state filled by SplitMix64, as its authors advise.
TEST(Rng, GoldenValues) {
  const std::vector<std::pair<uint64_t, std::vector<uint64_t>>> wanted = {
      {0, {0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c}},
      {1, {0xb3f2af6d0fc710c5, 0x853b559647364cea, 0x92f89756082a4514, 0x642e1c7bc266a3a7}},
      {42, {0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1, 0xecb8ad4703b360a1}},
  };
  for (const auto& [seed, values] : wanted) {
    Rng rng(seed);
    for (const uint64_t value : values) EXPECT_EQ(rng.next(), value);
  }
}

TEST(Rng, GoldenDistributions) {
  Rng uniform(42);
  EXPECT_EQ(uniform.uniform(), 0.08386297105988216);
  EXPECT_EQ(uniform.uniform(), 0.3789802506626686);
  Rng below(42);
  for (const uint64_t value : {0, 3, 6, 9, 9, 7, 7, 8, 7, 5}) EXPECT_EQ(below.below(10), value);
  Rng normal(42);
  // log and cos may differ in the last place between mathematical libraries.
  EXPECT_NEAR(normal.normal(), -0.303263064678738, 1e-15);
  EXPECT_NEAR(normal.normal(), 1.3438117634372806, 1e-15);
}

TEST(Rng, StateResumes) {
  Rng rng(7);
  for (int i = 0; i < 10; ++i) rng.normal();
  Rng copy(rng.state());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(copy.next(), rng.next());
}

TEST(Rng, ItemsAreIndependentOfWhatWasDrawn) {
  EXPECT_EQ(Rng::for_item(3, 8).next(), Rng::for_item(3, 8).next());
  std::set<uint64_t> first;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t item = 0; item < 500; ++item) first.insert(Rng::for_item(seed, item).next());
  }
  EXPECT_EQ(first.size(), 10000u);
}

TEST(Rng, RangesAndMoments) {
  Rng rng(9);
  double sum = 0, squares = 0;
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) {
    const double u = rng.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    const double n = rng.normal();
    sum += n;
    squares += n * n;
    const int64_t k = rng.integer(-3, 3);
    ASSERT_TRUE(k >= -3 && k <= 3);
    ++counts[static_cast<size_t>(k + 3)];
  }
  EXPECT_NEAR(sum / 70000, 0, 0.016);  // four standard errors
  EXPECT_NEAR(squares / 70000, 1, 0.022);
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
  EXPECT_EQ(rng.below(1), 0u);
  EXPECT_FALSE(rng.chance(0));
  EXPECT_TRUE(rng.chance(1));
}

TEST(Rng, ShuffleKeepsTheItems) {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  const std::vector<int> sorted = items;
  Rng(1).shuffle(items);
  EXPECT_NE(items, sorted);
  std::vector<int> again = sorted;
  Rng(1).shuffle(again);
  EXPECT_EQ(again, items);
  std::sort(items.begin(), items.end());
  EXPECT_EQ(items, sorted);
}

}  // namespace
}  // namespace sensorium
