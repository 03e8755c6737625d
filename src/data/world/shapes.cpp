// One to eight objects of many shapes, colours and sizes.
#include <algorithm>
#include <set>

#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

std::string_view any_name(Rng& rng) { return rng.chance(0.75) ? rng.pick(shape_names()) : rng.pick(icon_names()); }

// "a red circle, two blue squares and a star": equal looks counted together, in order of first appearance.
std::vector<std::string> grouped_looks(const Scene& scene) {
  std::vector<std::string> order, phrases;
  for (const Thing& thing : scene.things) {
    if (std::find(order.begin(), order.end(), look(thing)) == order.end()) order.push_back(look(thing));
  }
  for (const std::string& one : order) {
    const auto same =
        std::count_if(scene.things.begin(), scene.things.end(), [&](const Thing& thing) { return look(thing) == one; });
    phrases.push_back(count_phrase(static_cast<int>(same), one));
  }
  return phrases;
}

Statement counting_statement(const Scene& scene, Rng& rng) {
  const Thing& about = rng.pick(scene.things);
  const bool by_color = rng.chance(0.5);
  const int truth = by_color ? count_things(scene, "", about.color) : count_things(scene, about.name, "");
  const int said = std::max(1, truth + static_cast<int>(rng.integer(-1, 1)));
  const std::string noun = by_color ? about.color + " object" : about.name;
  if (rng.chance(0.5)) {
    return {"There " + std::string(said == 1 ? "is exactly " : "are exactly ") +
                count_phrase(said, noun, OneAs::number) + ".",
            truth == said};
  }
  return {"There " + std::string(said == 1 ? "is at least " : "are at least ") +
              count_phrase(said, noun, OneAs::number) + ".",
          truth >= said};
}

Statement presence_statement(const Scene& scene, Rng& rng) {
  // Half about a look that is there, half about a pair that may not be, made of names and colours that are.
  const Thing& first = rng.pick(scene.things);
  const std::string_view color =
      rng.chance(0.5) ? std::string_view(rng.pick(scene.things).color) : rng.pick(object_colors()).name;
  const std::string name = rng.chance(0.5) ? first.name : std::string(any_name(rng));
  return {"There is " + with_article(std::string(color) + " " + name) + ".", count_things(scene, name, color) > 0};
}

}  // namespace

Scene compose_shapes(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const int wanted = static_cast<int>(rng.integer(1, 8));
  const float side = static_cast<float>(std::min(width, height));
  std::vector<Disc> discs;
  std::vector<std::string_view> colors;
  // Few names and colours in one picture, so that there is something to compare.
  std::vector<std::string_view> names;
  for (int i = 0; i < 3; ++i) names.push_back(any_name(rng));
  for (int i = 0; i < 3; ++i) colors.push_back(rng.pick(object_colors()).name);
  for (int i = 0; i < wanted; ++i) {
    const SizeClass& size = rng.pick(size_classes());
    const float radius = side * static_cast<float>(rng.uniform(size.low, size.high));
    if (!place_disc(discs, radius, 3, width, height, rng)) continue;
    const std::string_view color = rng.pick(colors), name = rng.pick(names);
    Thing thing = make_object(name, color, discs.back().center, radius, rng);
    thing.size = size.name;
    scene.things.push_back(std::move(thing));
  }
  scene.background = contrasting_background(colors, rng);
  scene.camera = plain_camera(rng);
  return scene;
}

void describe_shapes(const Scene& scene, Rng& rng, WorldSample& sample) {
  add_boxes(scene, sample);
  sample.caption = capitalized(join_list(grouped_looks(scene))) + ".";
  const auto ask = [&](std::string question, std::string answer) {
    sample.qa.push_back({std::move(question), std::move(answer)});
  };
  ask("How many objects are there?", std::to_string(scene.things.size()));
  const Thing& about = rng.pick(scene.things);
  ask("How many " + plural(about.name) + " are there?", std::to_string(count_things(scene, about.name, "")));
  const std::string color(rng.chance(0.7) ? std::string_view(about.color) : rng.pick(object_colors()).name);
  ask("How many " + color + " objects are there?", std::to_string(count_things(scene, "", color)));
  if (count_things(scene, about.name, "") == 1) ask("What colour is the " + about.name + "?", about.color);
  if (count_things(scene, "", about.color) == 1) ask("What is the " + about.color + " object?", about.name);
  if (count_things(scene, about.name, about.color) == 1) ask("What size is the " + look(about) + "?", about.size);
  const Statement presence = presence_statement(scene, rng);
  ask("Is there " + presence.text.substr(9, presence.text.size() - 10) + "?", yes_no(presence.truth));
  add_balanced_statement(sample, rng, [&](Rng& r) { return counting_statement(scene, r); });
  add_balanced_statement(sample, rng, [&](Rng& r) { return presence_statement(scene, r); });
}

}  // namespace sensorium::data
