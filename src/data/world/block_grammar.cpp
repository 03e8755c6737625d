#include "data/world/block_grammar.h"

#include <algorithm>
#include <set>

#include "data/world/phrases.h"

namespace sensorium::data {
namespace blocks {

Amount random_amount(int low, int high, Rng& rng) {
  const int n = static_cast<int>(rng.integer(low, high));
  const std::string words = number(n, rng);
  switch (rng.below(7)) {
    case 0:
      return {"exactly " + words, n, [n](int count) { return count == n; }};
    case 1:
      return {"at least " + words, n, [n](int count) { return count >= n; }};
    case 2:
      return {"at most " + words, n, [n](int count) { return count <= n; }};
    case 3:
      return {"only " + words, n, [n](int count) { return count == n; }};
    default:
      return {words, n, [n](int count) { return count == n; }};
  }
}

std::string random_color(Rng& rng) { return one_of(rng, {"yellow", "blue", "black"}); }
std::string random_shape(Rng& rng) { return one_of(rng, {"circle", "square", "triangle"}); }
std::string number(int n, Rng& rng) { return rng.chance(0.5) ? std::to_string(n) : number_word(n); }
std::string nouns(int n, const std::string& noun) { return n == 1 ? noun : plural(noun); }

int size_of(const BlockBox& box) { return static_cast<int>(box.size()); }
int count_color(const BlockBox& box, std::string_view color) {
  return static_cast<int>(std::count_if(box.begin(), box.end(), [&](const Block& b) { return b.color == color; }));
}
int count_colors(const BlockBox& box) {
  std::set<std::string_view> colors;
  for (const Block& block : box) colors.insert(block.color);
  return static_cast<int>(colors.size());
}

Claim quantified(const std::string& noun, const Property& property, Rng& rng) {
  const auto claim = [&](std::string text, std::function<bool(int)> enough) -> Claim {
    return {std::move(text), [test = property.holds, enough](const BlockPicture& picture) {
              return enough(static_cast<int>(std::count_if(picture.boxes.begin(), picture.boxes.end(), test)));
            }};
  };
  const std::string with = " " + one_of(rng, {"with", "with", "with", "that has", "which has"}) + " ";
  const std::string many = " " + one_of(rng, {"with", "with", "that have"}) + " ";
  const int two = static_cast<int>(rng.integer(2, 3));
  switch (rng.below(14)) {
    case 0:
    case 1:
      return claim("there is " + number(1, rng) + " " + noun + with + property.words, [](int n) { return n == 1; });
    case 2: {
      const std::string one = number(1, rng);
      return claim("there is " + one_of(rng, {"exactly", "only"}) + " " + one + " " + noun + with + property.words,
                   [](int n) { return n == 1; });
    }
    case 3: {
      const std::string one = number(1, rng), bound = one_of(rng, {"at least", "at least", "atleast"});
      return claim("there is " + bound + " " + one + " " + noun + with + property.words, [](int n) { return n >= 1; });
    }
    case 4:
    case 5:
      return claim("there are " + number(two, rng) + " " + plural(noun) + many + property.words,
                   [two](int n) { return n == two; });
    case 6:
      return claim("there are exactly " + number(2, rng) + " " + plural(noun) + many + property.words,
                   [](int n) { return n == 2; });
    case 7:
      return claim("there are at least " + number(2, rng) + " " + plural(noun) + many + property.words,
                   [](int n) { return n >= 2; });
    case 8:
      return claim("there is no " + noun + with + property.words, [](int n) { return n == 0; });
    case 9:
      return claim("each " + noun + " has " + property.words, [](int n) { return n == 3; });
    case 10:
      return claim("one of the " + plural(noun) + " has " + property.words, [](int n) { return n >= 1; });
    default:
      return claim("there is a " + noun + with + property.words, [](int n) { return n >= 1; });
  }
}

}  // namespace blocks

Claim random_claim(bool towers, Rng& rng) {
  Claim claim = towers ? blocks::tower_claim(rng) : blocks::item_claim(rng);
  // People wrote with and without a capital and a full stop.
  if (rng.chance(0.6)) claim.text = capitalized(claim.text);
  if (rng.chance(0.5)) claim.text += ".";
  return claim;
}

}  // namespace sensorium::data
