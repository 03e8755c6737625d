// A small, fast, seedable generator (xoshiro256**, Blackman and Vigna 2018) whose whole state is four words, so that a
// checkpoint can store it. The same seed gives the same numbers on every machine.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>

namespace sensorium {

class Rng {
 public:
  using State = std::array<uint64_t, 4>;

  explicit Rng(uint64_t seed = 0) {
    for (uint64_t& word : state_) word = split_mix(seed);
  }
  explicit Rng(const State& state) : state_(state) {}

  // An independent generator for item `index` of stream `seed`: the same whatever was drawn before.
  static Rng for_item(uint64_t seed, uint64_t index) {
    uint64_t mixed = seed;
    const uint64_t first = split_mix(mixed);
    mixed = first ^ (index * 0xD1342543DE82EF95ull);
    return Rng(split_mix(mixed));
  }

  const State& state() const { return state_; }

  uint64_t next() {
    const uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Uniform in 0..count-1; count > 0. (Lemire's multiply-shift; the bias is below 2^-32 for the counts used here.)
  uint64_t below(uint64_t count) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * count) >> 64);
  }
  // Uniform in low..high, both included.
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool chance(double probability) { return uniform() < probability; }
  // Standard normal (Box-Muller, one of the pair: no hidden state).
  double normal() {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * uniform());
  }
  template <typename Container>
  void shuffle(Container& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
  template <typename Container>
  const auto& pick(const Container& items) {
    return *(std::begin(items) + static_cast<int64_t>(below(std::size(items))));
  }

 private:
  static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  static uint64_t split_mix(uint64_t& seed) {
    uint64_t z = (seed += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  State state_;
};

}  // namespace sensorium
