// What the two grammars of claims about blocks (towers, scattered items) share.
#pragma once

#include <string>

#include "data/world/blocks.h"

namespace sensorium::data::blocks {

using BoxTest = std::function<bool(const BlockBox&)>;

// A property of one tower or box, to stand after "with": "two yellow blocks".
struct Property {
  std::string words;
  BoxTest holds;
};

// A number and how it is compared: "at least two".
struct Amount {
  std::string words;
  int n = 0;
  std::function<bool(int)> holds;
};
Amount random_amount(int low, int high, Rng& rng);

std::string random_color(Rng& rng);
std::string random_shape(Rng& rng);
std::string number(int n, Rng& rng);                // "2" or "two"
std::string nouns(int n, const std::string& noun);  // "block", "blocks"
template <size_t N>
std::string one_of(Rng& rng, const char* const (&choices)[N]) {
  return rng.pick(choices);
}

int size_of(const BlockBox& box);
int count_color(const BlockBox& box, std::string_view color);
int count_colors(const BlockBox& box);  // different ones

// "There are exactly two <noun>s with <property>", "No <noun> has ...", "Each <noun> has ...": a claim about how many
// of the three boxes have the property.
Claim quantified(const std::string& noun, const Property& property, Rng& rng);

Claim tower_claim(Rng& rng);
Claim item_claim(Rng& rng);

}  // namespace sensorium::data::blocks
