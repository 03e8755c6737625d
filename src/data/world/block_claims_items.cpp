// Claims about items scattered in boxes.
#include <algorithm>
#include <set>

#include "data/world/block_grammar.h"
#include "data/world/phrases.h"

namespace sensorium::data::blocks {
namespace {

using ItemTest = std::function<bool(const Block&)>;

bool touches_bottom(const Block& b) { return b.y + b.side == kBoxSide; }
bool touches_right(const Block& b) { return b.x + b.side == kBoxSide; }
bool touches_side(const Block& b) { return b.x == 0 || touches_right(b); }
bool touches_edge(const Block& b) { return touches_side(b) || b.y == 0 || touches_bottom(b); }
bool touches_corner(const Block& b) { return touches_side(b) && (b.y == 0 || touches_bottom(b)); }

// Which items are meant: "small yellow triangle", "blue item", "object".
struct ItemPhrase {
  std::string words;
  ItemTest holds;
};
ItemPhrase random_item(Rng& rng) {
  const std::string thing = one_of(rng, {"item", "item", "object"});
  const std::string c = random_color(rng), s = random_shape(rng);
  const double form = rng.uniform();
  if (form < 0.45) return {c + " " + s, [=](const Block& b) { return b.color == c && b.shape == s; }};
  if (form < 0.75) return {c + " " + thing, [=](const Block& b) { return b.color == c; }};
  if (form < 0.88) return {s, [=](const Block& b) { return b.shape == s; }};
  const int side = static_cast<int>(10 * rng.integer(1, 3));
  const std::string size = side == 10 ? "small" : side == 20 ? "medium" : rng.chance(0.5) ? "big" : "large";
  return {size + " " + c + " " + s, [=](const Block& b) { return b.side == side && b.color == c && b.shape == s; }};
}

// Where an item lies: "touching the wall".
ItemPhrase random_place(Rng& rng) {
  switch (rng.below(7)) {
    case 0:
    case 1:
      return {one_of(rng, {"touching the wall", "touching the edge", "touching an edge"}), touches_edge};
    case 2:
    case 3:
      return {one_of(rng, {"touching the base", "closely touching the bottom of a box", "touching the bottom edge"}),
              touches_bottom};
    case 4:
      return {one_of(rng, {"closely touching right wall of a box", "touching the right edge"}), touches_right};
    case 5:
      return {one_of(rng, {"touching the corner", "closely touching a corner", "in the corner"}), touches_corner};
    default:
      return {one_of(rng, {"not touching any edge", "not touching the edge"}),
              [](const Block& b) { return !touches_edge(b); }};
  }
}

int count_items(const BlockBox& box, const ItemTest& test) {
  return static_cast<int>(std::count_if(box.begin(), box.end(), test));
}
int count_items(const BlockPicture& picture, const ItemTest& test) {
  return count_items(picture.boxes[0], test) + count_items(picture.boxes[1], test) +
         count_items(picture.boxes[2], test);
}
int count_shapes(const BlockBox& box) {
  std::set<std::string_view> shapes;
  for (const Block& block : box) shapes.insert(block.shape);
  return static_cast<int>(shapes.size());
}
// The item whose upper edge is highest; null in an empty box.
const Block* top_item(const BlockBox& box) {
  const auto top = std::min_element(box.begin(), box.end(), [](const Block& a, const Block& b) { return a.y < b.y; });
  return top == box.end() ? nullptr : &*top;
}

Property content_property(Rng& rng) {
  const ItemPhrase item = random_item(rng), other = random_item(rng);
  const std::string c = random_color(rng), d = random_color(rng);
  switch (rng.below(13)) {
    case 0:
    case 1: {
      const Amount amount = random_amount(1, 7, rng);
      return {amount.words + " " + nouns(amount.n, one_of(rng, {"item", "object"})),
              [=](const BlockBox& b) { return amount.holds(size_of(b)); }};
    }
    case 2:
    case 3:
    case 4: {
      const Amount amount = random_amount(1, 3, rng);
      return {amount.words + " " + nouns(amount.n, item.words),
              [=](const BlockBox& b) { return amount.holds(count_items(b, item.holds)); }};
    }
    case 5:
      return {"a " + item.words + " and no " + other.words,
              [=](const BlockBox& b) { return count_items(b, item.holds) > 0 && count_items(b, other.holds) == 0; }};
    case 6: {
      if (item.words == other.words) break;
      return {"a " + item.words + " and a " + other.words, [=](const BlockBox& b) {
                // Two different items: one that fits both phrases does not do.
                const int first = count_items(b, item.holds), second = count_items(b, other.holds);
                const int both = count_items(b, [&](const Block& k) { return item.holds(k) && other.holds(k); });
                return first > 0 && second > 0 && first + second - both >= 2;
              }};
    }
    case 7:
      return {rng.chance(0.5) ? "items of only one color" : "only items of the same color",
              [](const BlockBox& b) { return count_colors(b) == 1; }};
    case 8: {
      const int n = static_cast<int>(rng.integer(2, 6)), kinds = static_cast<int>(rng.integer(2, 3));
      const std::string colors = number(kinds, rng) + " different colors";
      return {number(n, rng) + " items of " + (kinds == 3 ? "all " : "") + colors,
              [=](const BlockBox& b) { return size_of(b) == n && count_colors(b) == kinds; }};
    }
    case 9:
      if (c == d) return {"only " + c + " items", [=](const BlockBox& b) { return count_color(b, c) == size_of(b); }};
      return {"only " + c + " and " + d + " items", [=](const BlockBox& b) {
                return count_color(b, c) > 0 && count_color(b, d) > 0 &&
                       count_color(b, c) + count_color(b, d) == size_of(b);
              }};
    case 10: {
      const int n = static_cast<int>(rng.integer(3, 6)), k = static_cast<int>(rng.integer(1, 3));
      const std::string colored = number(k, rng) + (k == 1 ? " is " : " are ") + c;
      return {number(n, rng) + " items of which " + colored,
              [=](const BlockBox& b) { return size_of(b) == n && count_color(b, c) == k; }};
    }
    case 11: {
      const int n = static_cast<int>(rng.integer(2, 6));
      return {number(n, rng) + " items and a " + c + " item on top", [=](const BlockBox& b) {
                const Block* top = top_item(b);
                return size_of(b) == n && top != nullptr && top->color == c;
              }};
    }
    default:
      break;
  }
  return {"only items of the same shape", [](const BlockBox& b) { return count_shapes(b) == 1; }};
}

// "a black triangle touching the wall"
Property placed_property(Rng& rng) {
  const ItemPhrase item = random_item(rng);
  const bool wall = rng.chance(0.5);
  const ItemTest place = wall ? ItemTest(touches_edge) : ItemTest(touches_bottom);
  return {"a " + item.words + (wall ? " touching the wall" : " touching the base"), [=](const BlockBox& b) {
            return count_items(b, [&](const Block& k) { return item.holds(k) && place(k); }) > 0;
          }};
}

// "there are exactly two black squares not touching any edge"
Claim placed_claim(Rng& rng) {
  const ItemPhrase item = random_item(rng), place = random_place(rng);
  const ItemTest test = [=](const Block& b) { return item.holds(b) && place.holds(b); };
  const int n = static_cast<int>(rng.integer(1, 3));
  const std::string counted = number(n, rng) + " " + nouns(n, item.words) + " " + place.words;
  const std::string be = n == 1 ? "there is " : "there are ";
  switch (rng.below(7)) {
    case 0:
      return {be + "exactly " + counted, [=](const BlockPicture& p) { return count_items(p, test) == n; }};
    case 1:
      return {be + one_of(rng, {"at least ", "at least ", "atleast "}) + counted,
              [=](const BlockPicture& p) { return count_items(p, test) >= n; }};
    case 2:
      return {be + (n == 1 ? "only " : "") + counted, [=](const BlockPicture& p) { return count_items(p, test) == n; }};
    case 3:
      return {"none of the " + plural(item.words) + " are " + place.words,
              [=](const BlockPicture& p) { return count_items(p, test) == 0; }};
    default:
      return {"there is a " + item.words + " " + place.words,
              [=](const BlockPicture& p) { return count_items(p, test) > 0; }};
  }
}

Claim picture_claim(Rng& rng) {
  const ItemPhrase item = random_item(rng);
  const int n = static_cast<int>(rng.integer(1, 6));
  switch (rng.below(5)) {
    case 0:
      return {(n == 1 ? "there is " : "there are ") + number(n, rng) + " " + nouns(n, item.words),
              [=](const BlockPicture& p) { return count_items(p, item.holds) == n; }};
    case 1:
      return {"there are at least " + number(std::max(2, n), rng) + " " + plural(item.words),
              [=](const BlockPicture& p) { return count_items(p, item.holds) >= std::max(2, n); }};
    case 2:
      return {"all " + plural(item.words) + " are in the same box", [=](const BlockPicture& p) {
                return std::count_if(p.boxes.begin(), p.boxes.end(),
                                     [&](const BlockBox& b) { return count_items(b, item.holds) > 0; }) == 1;
              }};
    case 3: {
      const std::string where = " in " + one_of(rng, {"each", "every"}) + " box";
      return {"there is at least " + number(1, rng) + " " + item.words + where, [=](const BlockPicture& p) {
                return std::all_of(p.boxes.begin(), p.boxes.end(),
                                   [&](const BlockBox& b) { return count_items(b, item.holds) > 0; });
              }};
    }
    default: {
      const std::string c = random_color(rng), d = random_color(rng);
      return {"there is a box with items of " + number(2, rng) + " different colors and a " + item.words,
              [=](const BlockPicture& p) {
                return std::any_of(p.boxes.begin(), p.boxes.end(), [&](const BlockBox& b) {
                  return count_colors(b) == 2 && count_items(b, item.holds) > 0;
                });
              }};
    }
  }
}

}  // namespace

Claim item_claim(Rng& rng) {
  const std::string box = one_of(rng, {"box", "box", "box", "grey box", "grey square"});
  switch (rng.below(10)) {
    case 0:
    case 1:
      return picture_claim(rng);
    case 2:
    case 3:
    case 4:
      return placed_claim(rng);
    case 5:
      return quantified(box, placed_property(rng), rng);
    default:
      return quantified(box, content_property(rng), rng);
  }
}

}  // namespace sensorium::data::blocks
