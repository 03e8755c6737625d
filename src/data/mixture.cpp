#include "data/mixture.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace sensorium::data {
namespace {

constexpr uint64_t kBlock = 4096;
constexpr size_t kMaxSets = 1024;
constexpr int kRounds = 4;

uint64_t mix(uint64_t seed, uint64_t stream) { return Rng::for_item(seed, stream).next(); }

}  // namespace

uint64_t permuted_index(uint64_t seed, uint64_t count, uint64_t index) {
  int half_bits = 1;
  while (half_bits < 32 && uint64_t{1} << (2 * half_bits) < count) ++half_bits;
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t value = index;
  do {
    uint64_t left = value >> half_bits, right = value & mask;
    for (uint64_t round = 0; round < kRounds; ++round) {
      const uint64_t mixed = left ^ (mix(seed + round, right) & mask);
      left = right;
      right = mixed;
    }
    value = left << half_bits | right;
  } while (value >= count);
  return value;
}

MixtureSampler::MixtureSampler(std::vector<Set> sets, uint64_t seed) : sets_(std::move(sets)), seed_(seed) {
  require(!sets_.empty() && sets_.size() <= kMaxSets, ErrorKind::usage, "a mixture of {} data sets, expected 1 to {}",
          sets_.size(), kMaxSets);
  double sum = 0;
  for (const Set& set : sets_) {
    require(std::isfinite(set.weight) && set.weight > 0, ErrorKind::usage,
            "a data set of weight {}, expected a positive number", set.weight);
    require(set.size > 0, ErrorKind::usage, "an empty data set in the mixture");
    sum += set.weight;
  }
  for (size_t set = 0; set < sets_.size(); ++set) {
    const auto share = static_cast<size_t>(std::llround(sets_[set].weight / sum * static_cast<double>(kBlock)));
    block_.insert(block_.end(), std::max<size_t>(1, share), static_cast<uint16_t>(set));
  }
}

MixtureSampler::Draw MixtureSampler::at(uint64_t k) const {
  const uint64_t block = k / block_.size();
  const auto place = static_cast<ptrdiff_t>(k % block_.size());
  std::vector<uint16_t> sets = block_;
  Rng::for_item(seed_, 2 * block).shuffle(sets);
  const uint16_t set = sets[static_cast<size_t>(place)];
  const auto times = [&](ptrdiff_t draws) {
    return static_cast<uint64_t>(std::count(sets.begin(), sets.begin() + draws, set));
  };
  // How often the set has come before.
  const uint64_t turn = block * times(std::ssize(sets)) + times(place);
  const auto size = static_cast<uint64_t>(sets_[set].size);
  const uint64_t order = mix(mix(seed_, 2 * uint64_t{set} + 1), turn / size);
  return {set, static_cast<int64_t>(permuted_index(order, size, turn % size))};
}

}  // namespace sensorium::data
