// Claims about towers of blocks.
#include <algorithm>

#include "data/world/block_grammar.h"
#include "data/world/phrases.h"

namespace sensorium::data::blocks {
namespace {

bool directly_above(const BlockBox& tower, std::string_view upper, std::string_view lower) {
  for (size_t i = 0; i + 1 < tower.size(); ++i) {
    if (tower[i].color == lower && tower[i + 1].color == upper) return true;
  }
  return false;
}

int longest_run(const BlockBox& tower, std::string_view color) {
  int longest = 0, run = 0;
  for (const Block& block : tower) {
    run = block.color == color ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

bool has_inner(const BlockBox& tower, std::string_view color) {
  for (size_t i = 1; i + 1 < tower.size(); ++i) {
    if (tower[i].color == color) return true;
  }
  return false;
}

// "a yellow block at the top"
Property end_property(Rng& rng) {
  const std::string c = random_color(rng);
  if (rng.chance(0.5)) return {"a " + c + " block at the top", [c](const BlockBox& t) { return t.back().color == c; }};
  return {"a " + c + " block at the " + one_of(rng, {"base", "base", "bottom"}),
          [c](const BlockBox& t) { return t.front().color == c; }};
}

// "at least three blocks"
Property height_property(Rng& rng) {
  Amount amount;
  do {  // every tower has at least one block and at most four: not worth saying
    amount = random_amount(1, 4, rng);
  } while (amount.holds(1) && amount.holds(4));
  return {amount.words + " " + nouns(amount.n, "block"), [=](const BlockBox& t) { return amount.holds(size_of(t)); }};
}

Property color_property(Rng& rng) {
  const std::string c = random_color(rng), d = random_color(rng);
  switch (rng.below(8)) {
    case 0:
    case 1: {
      const Amount amount = random_amount(1, 3, rng);
      return {amount.words + " " + nouns(amount.n, c + " block"),
              [=](const BlockBox& t) { return amount.holds(count_color(t, c)); }};
    }
    case 2: {
      const int n = static_cast<int>(rng.integer(2, 3));
      return {number(n, rng) + " " + c + " blocks stacked together",
              [=](const BlockBox& t) { return longest_run(t, c) == n; }};
    }
    case 3:
    case 4:
      return {"a " + c + " block " + one_of(rng, {"above", "over", "on", "on top of"}) + " a " + d + " block",
              [=](const BlockBox& t) { return directly_above(t, c, d); }};
    case 5:
      if (rng.chance(0.5)) return {"blocks of only one color", [](const BlockBox& t) { return count_colors(t) == 1; }};
      return {"blocks of all " + number(3, rng) + " colors", [](const BlockBox& t) { return count_colors(t) == 3; }};
    case 6:
      if (c == d) return {"only " + c + " blocks", [=](const BlockBox& t) { return count_color(t, c) == size_of(t); }};
      return {"only " + c + " and " + d + " blocks", [=](const BlockBox& t) {
                return count_color(t, c) > 0 && count_color(t, d) > 0 &&
                       count_color(t, c) + count_color(t, d) == size_of(t);
              }};
    default:
      return {"a " + c + " block in the middle", [=](const BlockBox& t) { return has_inner(t, c); }};
  }
}

// "exactly three blocks and a blue block at the base"
Property height_and_end_property(Rng& rng) {
  const Property height = height_property(rng), end = end_property(rng);
  return {height.words + " " + one_of(rng, {"with", "having", "and"}) + " " + end.words,
          [=](const BlockBox& t) { return height.holds(t) && end.holds(t); }};
}

int count_towers(const BlockPicture& picture, const BoxTest& test) {
  return static_cast<int>(std::count_if(picture.boxes.begin(), picture.boxes.end(), test));
}

// "there is a yellow block as the top of a tower with at least two blocks": the block comes first.
Claim block_first_claim(Rng& rng) {
  const std::string c = random_color(rng);
  const bool top = rng.chance(0.5);
  const bool tall = rng.chance(0.6);
  const Property height = height_property(rng);
  const BoxTest test = [=](const BlockBox& t) {
    return (top ? t.back() : t.front()).color == c && (!tall || height.holds(t));
  };
  const std::string place = std::string(" as the ") + (top ? "top" : "base") + " of a tower" +
                            (tall ? " with " + height.words : std::string());
  const int n = static_cast<int>(rng.integer(1, 3));
  switch (rng.below(5)) {
    case 0:
      return {"there is no " + c + " block" + place, [=](const BlockPicture& p) { return count_towers(p, test) == 0; }};
    case 1:
      return {"there is at least " + number(1, rng) + " " + c + " block" + place,
              [=](const BlockPicture& p) { return count_towers(p, test) >= 1; }};
    case 2:
      return {(n == 1 ? "there is only " : "there are ") + number(n, rng) + " " + nouns(n, c + " block") + place,
              [=](const BlockPicture& p) { return count_towers(p, test) == n; }};
    default:
      return {"there is a " + c + " block" + place, [=](const BlockPicture& p) { return count_towers(p, test) >= 1; }};
  }
}

Claim picture_claim(Rng& rng) {
  const std::string c = random_color(rng), d = random_color(rng);
  const auto heights = [](const BlockPicture& p) {
    return std::array<size_t, 3>{p.boxes[0].size(), p.boxes[1].size(), p.boxes[2].size()};
  };
  switch (rng.below(8)) {
    case 0:
    case 1: {
      const int n = static_cast<int>(rng.integer(1, 6));
      const bool exactly = rng.chance(0.2);
      return {std::string(n == 1 ? "there is " : "there are ") + (exactly ? "exactly " : "") + number(n, rng) + " " +
                  nouns(n, c + " block"),
              [=](const BlockPicture& p) {
                return count_color(p.boxes[0], c) + count_color(p.boxes[1], c) + count_color(p.boxes[2], c) == n;
              }};
    }
    case 2:
      return {"there is a " + c + " block " + one_of(rng, {"on", "above", "over"}) + " a " + d + " block",
              [=](const BlockPicture& p) {
                return count_towers(p, [&](const BlockBox& t) { return directly_above(t, c, d); }) > 0;
              }};
    case 3:
      return {"there is a " + c + " block below a " + d + " block", [=](const BlockPicture& p) {
                return count_towers(p, [&](const BlockBox& t) { return directly_above(t, d, c); }) > 0;
              }};
    case 4:
      return {"there is a " + c + " tower", [=](const BlockPicture& p) {
                return count_towers(p, [&](const BlockBox& t) { return count_color(t, c) == size_of(t); }) > 0;
              }};
    case 5: {
      const bool top = rng.chance(0.5);
      return {std::string("all the ") + (top ? "tops" : "bases") + " of the towers are the same in color",
              [=](const BlockPicture& p) {
                const auto end = [&](const BlockBox& t) { return (top ? t.back() : t.front()).color; };
                return end(p.boxes[0]) == end(p.boxes[1]) && end(p.boxes[1]) == end(p.boxes[2]);
              }};
    }
    case 6: {
      const int n = static_cast<int>(rng.integer(1, 2));
      const bool top = rng.chance(0.5);
      return {
          number_word(n) + " of the three towers " + (n == 1 ? "has" : "have") + " a " + c + (top ? " top" : " base"),
          [=](const BlockPicture& p) {
            return count_towers(p, [&](const BlockBox& t) { return (top ? t.back() : t.front()).color == c; }) == n;
          }};
    }
    default:
      return {"there are " + number(2, rng) + " towers with the same height", [=](const BlockPicture& p) {
                const auto h = heights(p);
                return h[0] == h[1] || h[1] == h[2] || h[0] == h[2];
              }};
  }
}

// "the tower with three blocks has a yellow block at the top": true if some tower of that height does.
Claim named_tower_claim(Rng& rng) {
  const int n = static_cast<int>(rng.integer(1, 4));
  const Property property = rng.chance(0.6) ? end_property(rng) : color_property(rng);
  return {"the tower with " + number(n, rng) + " " + nouns(n, "block") + " has " + property.words,
          [=](const BlockPicture& p) {
            return count_towers(p, [&](const BlockBox& t) { return size_of(t) == n && property.holds(t); }) > 0;
          }};
}

}  // namespace

Claim tower_claim(Rng& rng) {
  switch (rng.below(12)) {
    case 0:
    case 1:
    case 2:
      return picture_claim(rng);
    case 3:
    case 4:
      return block_first_claim(rng);
    case 5:
      return named_tower_claim(rng);
    case 6:
    case 7:
      return quantified("tower", end_property(rng), rng);
    case 8:
      return quantified("tower", height_property(rng), rng);
    case 9:
      return quantified("tower", height_and_end_property(rng), rng);
    default:
      return quantified("tower", color_property(rng), rng);
  }
}

}  // namespace sensorium::data::blocks
