// The mixture's order: a pure function, true to the weights, every record once before any comes twice.
#include "data/mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"

namespace sensorium::data {
namespace {

TEST(PermutedIndex, IsAPermutationOfAnySize) {
  for (const uint64_t count : {1u, 2u, 3u, 4u, 5u, 15u, 16u, 17u, 1000u, 4097u}) {
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t place = permuted_index(7, count, i);
      EXPECT_LT(place, count);
      EXPECT_TRUE(seen.insert(place).second) << count << " " << i;
    }
  }
}

TEST(PermutedIndex, DependsOnTheSeedAndLooksRandom) {
  constexpr uint64_t kCount = 1000;
  int fixed = 0, equal = 0, neighbours = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    fixed += permuted_index(1, kCount, i) == i ? 1 : 0;
    equal += permuted_index(1, kCount, i) == permuted_index(2, kCount, i) ? 1 : 0;
    if (i > 0) neighbours += permuted_index(1, kCount, i) == permuted_index(1, kCount, i - 1) + 1 ? 1 : 0;
  }
  // Each is 1 on average for random permutations.
  EXPECT_LT(fixed, 8);
  EXPECT_LT(equal, 8);
  EXPECT_LT(neighbours, 8);
}

TEST(PermutedIndex, ReachesBeyond32Bits) {
  constexpr uint64_t kCount = uint64_t{1} << 40;
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_LT(permuted_index(3, kCount, i), kCount);
    seen.insert(permuted_index(3, kCount, i));
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(MixtureSampler, KeepsTheWeights) {
  const MixtureSampler sampler({{3, 50}, {1, 1000}, {0.5, 7}}, 11);
  std::map<size_t, int> draws;
  constexpr int kDraws = 4096 * 5 + 1000;
  for (uint64_t k = 0; k < kDraws; ++k) ++draws[sampler.at(k).set];
  EXPECT_NEAR(draws[0] / double{kDraws}, 3 / 4.5, 0.01);
  EXPECT_NEAR(draws[1] / double{kDraws}, 1 / 4.5, 0.01);
  EXPECT_NEAR(draws[2] / double{kDraws}, 0.5 / 4.5, 0.01);
}

TEST(MixtureSampler, ShowsEveryRecordBeforeAnyAgain) {
  const MixtureSampler sampler({{1, 64}, {1, 4096}}, 5);
  // 4096 draws hold 2048 of each set: 32 rounds of the small one, half of the large one.
  std::map<int64_t, int> small, large;
  for (uint64_t k = 0; k < 4096; ++k) {
    const auto draw = sampler.at(k);
    ++(draw.set == 0 ? small : large)[draw.index];
  }
  EXPECT_EQ(small.size(), 64u);
  for (const auto& [index, times] : small) EXPECT_EQ(times, 32) << index;
  EXPECT_EQ(large.size(), 2048u);
  for (uint64_t k = 4096; k < 8192; ++k) {
    const auto draw = sampler.at(k);
    if (draw.set == 1) ++large[draw.index];
  }
  EXPECT_EQ(large.size(), 4096u);
}

TEST(MixtureSampler, ASmallSetIsShownWholeTimeAndAgain) {
  const MixtureSampler alone({{1, 64}}, 5), beside({{1, 64}, {2, 1000}}, 5);
  for (const MixtureSampler* sampler : {&alone, &beside}) {
    std::set<int64_t> round;
    std::vector<int64_t> order, last;
    for (uint64_t k = 0; k < 1500; ++k) {
      const auto draw = sampler->at(k);
      if (draw.set != 0) continue;
      EXPECT_TRUE(round.insert(draw.index).second) << k;
      order.push_back(draw.index);
      if (round.size() < 64) continue;
      EXPECT_NE(order, last);  // another order each time
      last = std::exchange(order, {});
      round.clear();
    }
    EXPECT_FALSE(last.empty());
  }
}

TEST(MixtureSampler, IsAPureFunctionOfTheSeed) {
  const MixtureSampler one({{2, 10}, {1, 20}}, 1), again({{2, 10}, {1, 20}}, 1), other({{2, 10}, {1, 20}}, 2);
  int equal = 0;
  for (uint64_t k = 500; k-- > 0;) {
    EXPECT_EQ(one.at(k), again.at(k));
    equal += one.at(k) == other.at(k) ? 1 : 0;
  }
  EXPECT_LT(equal, 100);
}

TEST(MixtureSampler, SmallWeightsStillCome) {
  const MixtureSampler sampler({{1e-9, 3}, {1, 3}}, 1);
  int rare = 0;
  for (uint64_t k = 0; k < 3 * 4097; ++k) rare += sampler.at(k).set == 0 ? 1 : 0;
  EXPECT_EQ(rare, 3);
}

TEST(MixtureSampler, RefusesWhatCannotBeDrawn) {
  EXPECT_THROW(MixtureSampler({}, 1), Error);
  EXPECT_THROW(MixtureSampler({{0, 5}}, 1), Error);
  EXPECT_THROW(MixtureSampler({{-1, 5}}, 1), Error);
  EXPECT_THROW(MixtureSampler({{NAN, 5}}, 1), Error);
  EXPECT_THROW(MixtureSampler({{1, 0}}, 1), Error);
}

}  // namespace
}  // namespace sensorium::data
