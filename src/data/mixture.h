// The order in which training meets the records of several data sets, without epochs and without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sensorium::data {

// A pseudo-random permutation of 0..count-1, one for each seed: the place of `index` in it. A Feistel network of four
// rounds over the next power of four, walked until the value falls inside (Black and Rogaway 2002, "Ciphers with
// arbitrary finite domains").
uint64_t permuted_index(uint64_t seed, uint64_t count, uint64_t index);

// Draw k is a pure function of the seed and k, so a run resumes at any step. Every 4096 draws hold each set in its
// share of the weights, rounded to whole draws (at least one) and shuffled; a set's records come in a new random order
// each time round, all of them before any comes again.
class MixtureSampler {
 public:
  struct Draw {
    size_t set;
    int64_t index;  // of the record in its set
    friend bool operator==(const Draw&, const Draw&) = default;
  };
  struct Set {
    double weight;
    int64_t size;
  };
  // Throws Error(usage): no set, more than 1024, a weight that is not positive and finite, or an empty set.
  MixtureSampler(std::vector<Set> sets, uint64_t seed);
  Draw at(uint64_t k) const;

 private:
  std::vector<Set> sets_;
  std::vector<uint16_t> block_;  // the set of every draw of a block, before they are shuffled
  uint64_t seed_;
};

}  // namespace sensorium::data
