// Three boxes side by side, with scattered items or one tower of blocks each, and claims about them. The pictures and
// the kinds of sentences are those of NLVR (Suhr et al., ACL 2017); the sentences here come from a grammar.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/rng.h"

namespace sensorium::data {

struct Block {
  std::string_view shape;  // "circle", "square", "triangle"
  std::string_view color;  // "yellow", "blue", "black"
  int side = 20;           // pixels: 10, 20 or 30
  int x = 0, y = 0;        // corner within the box, which is kBoxSide pixels wide and high
};
inline constexpr int kBoxSide = 100;

using BlockBox = std::vector<Block>;  // of a tower: from the base to the top

struct BlockPicture {
  bool towers = false;
  std::array<BlockBox, 3> boxes;
};

struct Claim {
  std::string text;
  std::function<bool(const BlockPicture&)> holds;
};

BlockPicture random_block_picture(bool towers, Rng& rng);

// A sentence about towers or about scattered items. Numbers mean what people meant in NLVR: "there are two ..." is
// exactly two, "there is a ..." at least one, "on" and "above" in a tower are the next block.
Claim random_claim(bool towers, Rng& rng);

}  // namespace sensorium::data
