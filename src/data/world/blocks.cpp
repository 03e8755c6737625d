// Pictures of three boxes and true or false statements about them.
#include "data/world/blocks.h"

#include <algorithm>

#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

constexpr std::string_view kColors[] = {"yellow", "blue", "black"};
constexpr std::string_view kShapes[] = {"circle", "square", "triangle"};
constexpr int kBoxPitch = 150;  // from one box's left edge to the next
constexpr int kMostItems = 7;
// Items that do not touch an edge keep away from it and from one another by at least so many pixels.
constexpr int kGap = 2;

BlockBox random_tower(Rng& rng) {
  BlockBox tower(static_cast<size_t>(rng.integer(1, 4)));
  for (size_t i = 0; i < tower.size(); ++i) {
    // One pixel of grey between blocks.
    tower[i] = {"square", rng.pick(kColors), 20, 40, kBoxSide - 20 - 21 * static_cast<int>(i)};
  }
  return tower;
}

// A coordinate of an item's near corner: sometimes at the far edge, rarely at the near one, else clear of both.
int random_offset(int side, Rng& rng) {
  const double place = rng.uniform();
  if (place < 0.17) return kBoxSide - side;
  if (place < 0.19) return 0;
  return static_cast<int>(rng.integer(kGap, kBoxSide - side - kGap));
}

BlockBox random_items(Rng& rng) {
  BlockBox box;
  const int wanted = static_cast<int>(rng.integer(1, kMostItems));
  for (int attempt = 0; attempt < 200 && static_cast<int>(box.size()) < wanted; ++attempt) {
    Block block{rng.pick(kShapes), rng.pick(kColors), static_cast<int>(10 * rng.integer(1, 3))};
    block.x = random_offset(block.side, rng);
    block.y = random_offset(block.side, rng);
    const bool free = std::none_of(box.begin(), box.end(), [&](const Block& other) {
      return block.x < other.x + other.side + kGap && other.x < block.x + block.side + kGap &&
             block.y < other.y + other.side + kGap && other.y < block.y + block.side + kGap;
    });
    if (free) box.push_back(block);
  }
  return box;
}

Rgb paint_of(std::string_view color) {
  if (color == "yellow") return {255, 255, 0};
  return color == "blue" ? Rgb{0, 153, 255} : Rgb{0, 0, 0};
}

Thing block_thing(const Block& block, int box) {
  const float x = static_cast<float>(block.x + kBoxPitch * box), y = static_cast<float>(block.y);
  const float side = static_cast<float>(block.side);
  Thing thing;
  thing.name = std::string(block.color) + " " + std::string(block.shape);
  thing.color = block.color;
  thing.size = block.side == 10 ? "small" : block.side == 20 ? "medium" : "large";
  thing.group = box;
  std::vector<Vec2> outline = rectangle(x, y, x + side, y + side);
  if (block.shape == "circle") outline = ellipse({x + 0.5f * side, y + 0.5f * side}, 0.5f * side, 0.5f * side);
  if (block.shape == "triangle") outline = {{x + 0.5f * side, y}, {x + side, y + side}, {x, y + side}};
  thing.parts.push_back(filled(std::move(outline), flat(paint_of(block.color))));
  return thing;
}

// A picture for which the claim has the wanted truth; false after some tries.
bool find_picture(const Claim& claim, bool towers, bool wanted, Rng& rng, BlockPicture& picture) {
  for (int i = 0; i < 40; ++i) {
    picture = random_block_picture(towers, rng);
    if (claim.holds(picture) == wanted) return true;
  }
  return false;
}

}  // namespace

BlockPicture random_block_picture(bool towers, Rng& rng) {
  BlockPicture picture{towers, {}};
  for (BlockBox& box : picture.boxes) box = towers ? random_tower(rng) : random_items(rng);
  return picture;
}

Scene compose_blocks(Rng& rng, int, int) {
  const bool towers = rng.chance(0.6);
  // The claim first, then a picture where it holds or one where it does not, by a coin: so the words alone tell nothing
  // about the label. A claim for which either is hard to find is dropped whatever the coin says.
  const bool wanted = rng.chance(0.5);
  BlockPicture picture, opposite;
  Claim claim;
  do {
    claim = random_claim(towers, rng);
  } while (!find_picture(claim, towers, wanted, rng, picture) || !find_picture(claim, towers, !wanted, rng, opposite));
  Scene scene{.width = 2 * kBoxPitch + kBoxSide, .height = kBoxSide};
  scene.background = flat({128, 128, 128});
  Thing boxes;
  boxes.annotated = false;
  for (int box = 0; box < 3; ++box) {
    const float x = static_cast<float>(kBoxPitch * box);
    boxes.parts.push_back(filled(rectangle(x, 0, x + kBoxSide, kBoxSide), flat({211, 211, 211})));
  }
  scene.things.push_back(std::move(boxes));
  for (int box = 0; box < 3; ++box) {
    for (const Block& block : picture.boxes[static_cast<size_t>(box)]) scene.things.push_back(block_thing(block, box));
  }
  scene.statements.push_back({claim.text, wanted});
  // More about the same picture: here the picture is given, so the claim must fit the coin.
  scene.draw_statement = [picture, towers](Rng& draws) -> std::optional<Statement> {
    const bool truth = draws.chance(0.5);
    for (int attempt = 0; attempt < 30; ++attempt) {
      const Claim more = random_claim(towers, draws);
      if (more.holds(picture) == truth) return Statement{more.text, truth};
    }
    return std::nullopt;
  };
  for (int i = 0; i < 2; ++i) {
    if (std::optional<Statement> more = scene.draw_statement(rng)) scene.statements.push_back(std::move(*more));
  }
  return scene;
}

void describe_blocks(const Scene& scene, Rng&, WorldSample& sample) {
  add_boxes(scene, sample);
  std::vector<std::string> boxes;
  for (int box = 0; box < 3; ++box) {
    std::vector<std::string> groups;
    for (const auto& entry : sample.count) {
      const std::string& name = entry.first;
      const auto here = std::count_if(scene.things.begin(), scene.things.end(),
                                      [&](const Thing& t) { return t.annotated && t.group == box && t.name == name; });
      if (here > 0) groups.push_back(count_phrase(static_cast<int>(here), name));
    }
    boxes.push_back(join_list(groups));
  }
  sample.caption = "Left: " + boxes[0] + "; middle: " + boxes[1] + "; right: " + boxes[2] + ".";
  for (const std::string_view color : kColors) {
    sample.qa.push_back(
        {"How many " + std::string(color) + " objects are there?", std::to_string(count_things(scene, "", color))});
  }
  sample.qa.push_back({"How many objects are there?", std::to_string(sample.boxes.size())});
}

}  // namespace sensorium::data
