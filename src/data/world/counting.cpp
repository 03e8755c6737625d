// Many equal objects, sometimes two kinds of them, scattered or in rows.
#include <algorithm>
#include <cmath>

#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

std::string_view any_name(Rng& rng) { return rng.chance(0.5) ? rng.pick(shape_names()) : rng.pick(icon_names()); }

// Places on a slightly shaken grid, as on a shelf or a tray.
std::vector<Disc> grid_places(int wanted, int width, int height, Rng& rng) {
  const float aspect = static_cast<float>(width) / static_cast<float>(height);
  const int columns = std::max(1, static_cast<int>(std::ceil(std::sqrt(static_cast<float>(wanted) * aspect))));
  const int rows = (wanted + columns - 1) / columns;
  const float cell_x = static_cast<float>(width) / static_cast<float>(columns);
  const float cell_y = static_cast<float>(height) / static_cast<float>(rows);
  const float radius = std::min({cell_x, cell_y, 90.0f}) * static_cast<float>(rng.uniform(0.28, 0.42));
  const float shake = 0.5f * std::min(cell_x, cell_y) - radius - 1.5f;
  std::vector<Disc> places;
  for (int i = 0; i < wanted; ++i) {
    const Vec2 center{(static_cast<float>(i % columns) + 0.5f) * cell_x + shake * float(rng.uniform(-0.9, 0.9)),
                      (static_cast<float>(i / columns) + 0.5f) * cell_y + shake * float(rng.uniform(-0.9, 0.9))};
    places.push_back({center, radius});
  }
  return places;
}

std::vector<Disc> scattered_places(int wanted, int width, int height, Rng& rng) {
  const float side = static_cast<float>(std::min(width, height));
  const float most = std::min(0.13f, 0.32f / std::sqrt(static_cast<float>(wanted)));
  const float radius = side * static_cast<float>(rng.uniform(0.6, 1)) * most;
  std::vector<Disc> places;
  for (int i = 0; i < wanted; ++i) {
    place_disc(places, radius * static_cast<float>(rng.uniform(0.85, 1.1)), 1.5f, width, height, rng);
  }
  return places;
}

struct Tally {
  std::string noun;
  int count;
};

// The two (or one) nouns of the scene with how many there are.
std::vector<Tally> tallies(const Scene& scene) {
  std::vector<Tally> out;
  for (const Thing& thing : scene.things) {
    const auto same = std::find_if(out.begin(), out.end(), [&](const Tally& t) { return t.noun == look(thing); });
    if (same == out.end()) {
      out.push_back({look(thing), 1});
    } else {
      ++same->count;
    }
  }
  return out;
}

}  // namespace

Scene compose_counting(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const int wanted = static_cast<int>(rng.integer(1, 20));
  const bool two_kinds = wanted > 2 && rng.chance(0.4);
  const std::string_view names[2] = {any_name(rng), any_name(rng)};
  const std::string_view colors[2] = {rng.pick(object_colors()).name, rng.pick(object_colors()).name};
  const double share = two_kinds ? rng.uniform(0.2, 0.8) : 1.0;
  for (const Disc& disc :
       rng.chance(0.35) ? grid_places(wanted, width, height, rng) : scattered_places(wanted, width, height, rng)) {
    const size_t which = rng.chance(share) ? 0 : 1;
    scene.things.push_back(make_object(names[which], colors[which], disc.center, disc.radius, rng));
  }
  scene.background = contrasting_background({colors[0], colors[1]}, rng);
  scene.camera = plain_camera(rng);
  return scene;
}

void describe_counting(const Scene& scene, Rng& rng, WorldSample& sample) {
  add_boxes(scene, sample);
  std::vector<std::string> phrases;
  const std::vector<Tally> groups = tallies(scene);
  for (const Tally& tally : groups) {
    phrases.push_back(count_phrase(tally.count, tally.noun));
    sample.qa.push_back({"How many " + plural(tally.noun) + " are there?", std::to_string(tally.count)});
  }
  sample.caption = capitalized(join_list(phrases)) + ".";
  sample.qa.push_back({"How many objects are there?", std::to_string(scene.things.size())});
  if (groups.size() == 2) {
    const size_t a = rng.below(2), b = 1 - a;
    sample.qa.push_back({"Are there more " + plural(groups[a].noun) + " than " + plural(groups[b].noun) + "?",
                         yes_no(groups[a].count > groups[b].count)});
  }
  add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
    const Tally& tally = r.pick(groups);
    const int said = std::max(1, tally.count + static_cast<int>(r.integer(-2, 2)));
    const std::string be = said == 1 ? "is " : "are ";
    const std::string noun = count_phrase(said, tally.noun, OneAs::number);
    switch (r.below(3)) {
      case 0:
        return {"There " + be + "exactly " + noun + ".", tally.count == said};
      case 1:
        return {"There " + be + "at least " + noun + ".", tally.count >= said};
      default:
        return {"There " + be + "at most " + noun + ".", tally.count <= said};
    }
  });
}

}  // namespace sensorium::data
