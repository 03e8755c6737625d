// Two to four different objects and how they lie to one another: left of, right of, above, below, inside, larger.
#include <algorithm>
#include <cmath>

#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

struct Relation {
  std::string_view words;     // "the red cup is ___ the blue star"
  std::string_view question;  // "What is ___ the blue star?"; empty: not asked
  bool (*holds)(const Thing& a, const Thing& b);
};

Vec2 middle(const Thing& thing) { return {0.5f * (thing.box[0] + thing.box[2]), 0.5f * (thing.box[1] + thing.box[3])}; }
float area(const Thing& thing) { return (thing.box[2] - thing.box[0]) * (thing.box[3] - thing.box[1]); }

// Boxes that do not overlap along the axis are clearly left of (above) one another.
bool left_of(const Thing& a, const Thing& b) { return a.box[2] <= b.box[0]; }
bool right_of(const Thing& a, const Thing& b) { return left_of(b, a); }
bool above(const Thing& a, const Thing& b) { return a.box[3] <= b.box[1]; }
bool below(const Thing& a, const Thing& b) { return above(b, a); }
bool larger(const Thing& a, const Thing& b) { return area(a) > 1.6f * area(b); }
bool smaller(const Thing& a, const Thing& b) { return larger(b, a); }
// `group` of an inner object is 1 + the index of what it lies in; the outer object carries that as its own negative.
bool inside(const Thing& a, const Thing& b) { return a.group > 0 && a.group == -b.group; }

constexpr Relation kRelations[] = {
    {"to the left of", "to the left of", left_of},
    {"to the right of", "to the right of", right_of},
    {"above", "above", above},
    {"below", "below", below},
    {"larger than", "", larger},
    {"smaller than", "", smaller},
    {"inside", "inside", inside},
};

// Pairs between a clear yes and a clear no are not talked about: overlapping along the axis, nearly equal in size.
bool is_clear(const Relation& relation, const Thing& a, const Thing& b) {
  if (relation.holds(a, b) || relation.holds == inside) return true;
  const Vec2 from = middle(a), to = middle(b);
  const float width = 0.5f * std::min(a.box[2] - a.box[0], b.box[2] - b.box[0]);
  const float height = 0.5f * std::min(a.box[3] - a.box[1], b.box[3] - b.box[1]);
  if (relation.holds == left_of) return from.x > to.x + width;
  if (relation.holds == right_of) return from.x < to.x - width;
  if (relation.holds == above) return from.y > to.y + height;
  if (relation.holds == below) return from.y < to.y - height;
  return relation.holds(b, a);
}

// Shapes wide enough to hold another object.
constexpr std::string_view kHolders[] = {"circle", "square", "hexagon"};

struct Pair {
  const Thing *a, *b;
  const Relation* relation;
};

Pair random_pair(const Scene& scene, Rng& rng) {
  for (int i = 0; i < 60; ++i) {
    const size_t a = rng.below(scene.things.size()), b = rng.below(scene.things.size());
    const Relation& relation = rng.pick(kRelations);
    // "inside" is rarely true, so it is asked only in scenes where something is inside.
    const bool nested =
        std::any_of(scene.things.begin(), scene.things.end(), [](const Thing& t) { return t.group > 0; });
    if (a == b || (relation.holds == inside && !nested)) continue;
    if (is_clear(relation, scene.things[a], scene.things[b])) return {&scene.things[a], &scene.things[b], &relation};
  }
  return {nullptr, nullptr, nullptr};
}

}  // namespace

Scene compose_relations(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const float side = static_cast<float>(std::min(width, height));
  std::vector<std::string_view> names(shape_names().begin(), shape_names().end());
  names.insert(names.end(), icon_names().begin(), icon_names().end());
  std::vector<std::string_view> colors;
  for (const NamedColor& color : object_colors()) colors.push_back(color.name);
  rng.shuffle(names);
  rng.shuffle(colors);
  std::vector<Disc> discs;
  size_t next = 0;
  if (rng.chance(0.4)) {
    const std::string_view holder = rng.pick(kHolders);
    std::erase(names, holder);
    const float radius = side * static_cast<float>(rng.uniform(0.2, 0.28));
    if (place_disc(discs, radius, 4, width, height, rng)) {
      Thing outer = make_object(holder, colors[0], discs[0].center, radius, rng);
      Thing inner = make_object(names[0], colors[1], discs[0].center, radius * float(rng.uniform(0.3, 0.45)), rng);
      outer.group = -1;
      inner.group = 1;
      scene.things.push_back(std::move(outer));
      scene.things.push_back(std::move(inner));
      next = 2;
    }
  }
  const size_t wanted = next + static_cast<size_t>(rng.integer(next == 0 ? 2 : 1, next == 0 ? 4 : 2));
  for (; next < wanted; ++next) {
    const SizeClass& size = rng.pick(size_classes());
    const float radius = side * static_cast<float>(rng.uniform(size.low, size.high));
    if (!place_disc(discs, radius, 4, width, height, rng)) continue;
    scene.things.push_back(make_object(names[next], colors[next], discs.back().center, radius, rng));
  }
  scene.background = contrasting_background({colors.begin(), colors.begin() + static_cast<int64_t>(wanted)}, rng);
  scene.camera = plain_camera(rng);
  return scene;
}

void describe_relations(const Scene& scene, Rng& rng, WorldSample& sample) {
  add_boxes(scene, sample);
  const Pair shown = random_pair(scene, rng);
  std::vector<std::string> looks;
  for (const Thing& thing : scene.things) looks.push_back(with_article(look(thing)));
  sample.caption = capitalized(join_list(looks)) + ".";
  if (shown.a != nullptr && shown.relation->holds(*shown.a, *shown.b)) {
    sample.caption = capitalized(with_article(look(*shown.a))) + " " + std::string(shown.relation->words) + " " +
                     with_article(look(*shown.b)) + ".";
  }
  const Thing& about = rng.pick(scene.things);
  sample.qa.push_back({"What colour is the " + about.name + "?", about.color});
  for (int i = 0; i < 2; ++i) {
    const Pair pair = random_pair(scene, rng);
    if (pair.a == nullptr) continue;
    sample.qa.push_back(
        {"Is the " + look(*pair.a) + " " + std::string(pair.relation->words) + " the " + look(*pair.b) + "?",
         yes_no(pair.relation->holds(*pair.a, *pair.b))});
    if (pair.relation->question.empty()) continue;
    const auto matches = [&](const Thing& t) { return &t != pair.b && pair.relation->holds(t, *pair.b); };
    const auto unclear = [&](const Thing& t) { return &t != pair.b && !is_clear(*pair.relation, t, *pair.b); };
    if (std::count_if(scene.things.begin(), scene.things.end(), matches) == 1 &&
        std::none_of(scene.things.begin(), scene.things.end(), unclear)) {
      const Thing& answer = *std::find_if(scene.things.begin(), scene.things.end(), matches);
      sample.qa.push_back(
          {"What is " + std::string(pair.relation->question) + " the " + look(*pair.b) + "?", look(answer)});
    }
  }
  for (int i = 0; i < 2; ++i) {
    add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
      const Pair pair = random_pair(scene, r);
      if (pair.a == nullptr) return {"There is " + with_article(look(about)) + ".", true};
      return {"The " + look(*pair.a) + " is " + std::string(pair.relation->words) + " the " + look(*pair.b) + ".",
              pair.relation->holds(*pair.a, *pair.b)};
    });
  }
}

}  // namespace sensorium::data
