// A word or two, printed or handwritten, on paper, walls and signs.
#include <algorithm>

#include "data/world/glyphs.h"
#include "data/world/kinds.h"
#include "data/world/objects.h"

namespace sensorium::data {
namespace {

constexpr std::string_view kWords[] = {
    "air",    "apple",  "arm",    "bag",   "ball",   "bank",  "bed",    "bell",   "bike",  "bird",   "blue",
    "boat",   "book",   "box",    "bread", "bridge", "bus",   "cake",   "camera", "car",   "cat",    "chair",
    "circle", "city",   "clean",  "clock", "closed", "cloud", "coffee", "cold",   "cup",   "danger", "dark",
    "day",    "desk",   "dog",    "door",  "down",   "dry",   "east",   "egg",    "empty", "engine", "exit",
    "eye",    "farm",   "fast",   "fire",  "fish",   "flag",  "floor",  "flower", "food",  "foot",   "forest",
    "full",   "garden", "gas",    "gate",  "girl",   "glass", "gold",   "grass",  "green", "hand",   "hat",
    "heart",  "heavy",  "help",   "here",  "high",   "home",  "horse",  "hot",    "hotel", "house",  "ice",
    "island", "jump",   "key",    "king",  "lamp",   "left",  "letter", "light",  "lion",  "long",   "low",
    "map",    "market", "milk",   "moon",  "mouse",  "music", "name",   "net",    "new",   "night",  "north",
    "nose",   "ocean",  "office", "oil",   "old",    "open",  "orange", "out",    "page",  "paint",  "paper",
    "park",   "pen",    "phone",  "plant", "pull",   "push",  "queen",  "quick",  "quiet", "rain",   "red",
    "rice",   "right",  "river",  "road",  "rock",   "room",  "rose",   "safe",   "salt",  "sand",   "school",
    "sea",    "ship",   "shoe",   "shop",  "silver", "slow",  "snow",   "soap",   "south", "star",   "stone",
    "stop",   "street", "sugar",  "sun",   "table",  "tea",   "tower",  "train",  "tree",  "truck",  "up",
    "valley", "wall",   "warm",   "watch", "water",  "west",  "wheel",  "white",  "wind",  "window", "wood",
    "yellow", "zebra",  "zoo",
};

std::string in_case(std::string_view word, int style) {
  std::string out(word);
  for (size_t i = 0; i < out.size(); ++i) {
    if (style == 1 || (style == 2 && i == 0)) out[i] = static_cast<char>(out[i] - 'a' + 'A');
  }
  return out;
}

}  // namespace

Scene compose_words(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const std::string_view ink = rng.pick(object_colors()).name;
  scene.background = contrasting_background({ink}, rng);
  scene.camera = plain_camera(rng);
  const int lines = rng.chance(0.3) ? 2 : 1;
  const int style = static_cast<int>(rng.below(3));
  const float wobble = rng.chance(0.5) ? 0.0f : static_cast<float>(rng.uniform(0.008, 0.022));
  const float spacing = static_cast<float>(rng.uniform(0.26, 0.42));
  const float slant = rng.chance(0.5) ? 0.0f : static_cast<float>(rng.uniform(-0.1, 0.35));
  const float pen = static_cast<float>(rng.uniform(0.09, 0.2));  // in cap heights
  const float turn = rng.chance(0.5) ? 0.0f : static_cast<float>(0.05 * rng.normal());
  const float band = static_cast<float>(height) / static_cast<float>(lines);
  for (int i = 0; i < lines; ++i) {
    const std::string_view word = rng.pick(kWords);
    Thing thing;
    thing.name = "word";
    thing.color = ink;
    thing.text = word;
    Part part{.form = Form::stroke, .lines = write_line(in_case(word, style), spacing, wobble, rng), .pen_width = pen};
    part.paint = flat(vary_color(ink, rng));
    thing.parts.push_back(std::move(part));
    transform_parts({1, -slant, 0, 1, 0, 0}, thing.parts);
    transform_parts(Transform::placed({}, 1, turn), thing.parts);
    Vec2 low{1e9f, 1e9f}, high{-1e9f, -1e9f};
    for (const std::vector<Vec2>& stroke : thing.parts[0].lines) {
      for (const Vec2 p : stroke) {
        low = {std::min(low.x, p.x), std::min(low.y, p.y)};
        high = {std::max(high.x, p.x), std::max(high.y, p.y)};
      }
    }
    const float wide = high.x - low.x + pen, tall = high.y - low.y + pen;
    const float most = std::min((static_cast<float>(width) - 8) / wide, (band - 8) / tall);
    const float scale = std::min(most * static_cast<float>(rng.uniform(0.55, 1)), 90.0f);
    const float free_x = static_cast<float>(width) - scale * wide - 4, free_y = band - scale * tall - 4;
    const float x = 2 + free_x * static_cast<float>(rng.uniform()), y = 2 + free_y * static_cast<float>(rng.uniform());
    transform_parts({scale, 0, 0, scale, x - scale * (low.x - 0.5f * pen),
                     y + band * static_cast<float>(i) - scale * (low.y - 0.5f * pen)},
                    thing.parts);
    scene.things.push_back(std::move(thing));
  }
  if (lines == 1) scene.topic = scene.things[0].text;
  return scene;
}

void describe_words(const Scene& scene, Rng& rng, WorldSample& sample) {
  add_boxes(scene, sample);
  const Thing& first = scene.things.front();
  std::string text = first.text;
  if (scene.things.size() == 1) {
    sample.caption = "The word \"" + text + "\" in " + first.color + ".";
    sample.qa.push_back({"Which word is written here?", text});
  } else {
    const std::string second = scene.things[1].text;
    text += " " + second;
    sample.caption = "The words \"" + text + "\" in " + first.color + ".";
    sample.qa.push_back({"Which words are written here?", text});
    sample.qa.push_back({"What is the first word?", first.text});
    sample.qa.push_back({"What is the second word?", second});
  }
  sample.qa.push_back({"What colour is the writing?", first.color});
  sample.qa.push_back({"How many words are there?", std::to_string(scene.things.size())});
  add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
    const std::string said = r.chance(0.5) ? first.text : std::string(r.pick(kWords));
    const bool truth =
        std::any_of(scene.things.begin(), scene.things.end(), [&](const Thing& t) { return t.text == said; });
    return {"The word \"" + said + "\" is written here.", truth};
  });
}

}  // namespace sensorium::data
