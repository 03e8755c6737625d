// Blood under a microscope: red cells (pale discs), white cells (purple nuclei), platelets (small purple spots).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

constexpr const char* kRed = "red blood cell";
constexpr const char* kWhite = "white blood cell";
constexpr const char* kPlatelet = "platelet";

// How the slide was stained and lit: the tones of everything in one picture.
struct Stain {
  Rgb ground, red, red_center, nucleus, plasma;

  explicit Stain(Rng& rng) {
    const auto shift = [&](Rgb base, double spread) {
      // Lamps differ more in strength than in colour.
      const float light = static_cast<float>(rng.uniform(-spread, spread));
      const auto channel = [&](float v) {
        return std::clamp(v + light + static_cast<float>(rng.uniform(-0.4, 0.4) * spread), 0.0f, 255.0f);
      };
      return Rgb{channel(base.r), channel(base.g), channel(base.b)};
    };
    ground = shift({208, 214, 208}, 22);
    red = shift({192, 132, 122}, 22);
    red_center = mix(red, ground, static_cast<float>(rng.uniform(0.4, 1.0)));
    nucleus = shift({96, 56, 178}, 30);
    plasma = mix(ground, nucleus, static_cast<float>(rng.uniform(0.15, 0.4)));
  }
};

// A roundish outline: `corners` points at radii that vary by `unevenness`.
std::vector<Vec2> blob(Vec2 center, float radius, float unevenness, int corners, Rng& rng) {
  const float stretch = static_cast<float>(rng.uniform(0.82, 1.0));
  const float turn = static_cast<float>(rng.uniform(0, 2 * std::numbers::pi));
  std::vector<Vec2> points;
  for (int i = 0; i < corners; ++i) {
    const float at = 2 * std::numbers::pi_v<float> * static_cast<float>(i) / static_cast<float>(corners);
    const float r = radius * (1 + unevenness * static_cast<float>(rng.uniform(-1, 1)));
    const float x = r * std::cos(at), y = stretch * r * std::sin(at);
    points.push_back(
        {center.x + x * std::cos(turn) - y * std::sin(turn), center.y + x * std::sin(turn) + y * std::cos(turn)});
  }
  return smooth_closed(points);
}

Thing red_cell(Vec2 center, float radius, const Stain& stain, Rng& rng) {
  Thing thing;
  thing.name = kRed;
  const std::vector<Vec2> outline = blob(center, radius, 0.07f, 9, rng);
  Paint body;
  body.fill = Fill::radial;
  // Some cells lie thin and pale in the middle, some are full.
  body.color = mix(stain.red_center, stain.red, static_cast<float>(rng.uniform(-0.3, 0.9)));
  body.second = stain.red;
  body.focus = {static_cast<float>(rng.uniform(-0.2, 0.2)), static_cast<float>(rng.uniform(-0.2, 0.2))};
  body.opacity = static_cast<float>(rng.uniform(0.75, 0.95));
  thing.parts.push_back(filled(outline, body));
  std::vector<Vec2> rim = outline;
  rim.push_back(rim.front());
  Paint edge = flat(mix(stain.red, {90, 40, 40}, 0.3f));
  edge.opacity = 0.45f;
  thing.parts.push_back(stroked(std::move(rim), std::max(1.0f, 0.07f * radius), edge));
  if (rng.chance(0.12)) {  // a bubble or a fold that catches the light
    const Vec2 at{center.x + 0.3f * radius * float(rng.normal()) * 0.5f,
                  center.y + 0.3f * radius * float(rng.normal()) * 0.5f};
    thing.parts.push_back(filled(ellipse(at, 0.16f * radius, 0.08f * radius, float(rng.uniform(0, 3))),
                                 flat(mix(stain.ground, {255, 255, 255}, 0.5f))));
  }
  return thing;
}

Thing white_cell(Vec2 center, float radius, const Stain& stain, Rng& rng) {
  Thing thing;
  thing.name = kWhite;
  Paint plasma;
  plasma.fill = Fill::clouds;
  plasma.color = stain.plasma;
  plasma.second = mix(stain.plasma, stain.nucleus, 0.22f);
  plasma.period = 0.25f * radius;
  plasma.seed = static_cast<uint32_t>(rng.next());
  plasma.grain = 8;
  thing.parts.push_back(filled(blob(center, radius, 0.06f, 11, rng), plasma));
  Paint nucleus = plasma;
  nucleus.color = stain.nucleus;
  nucleus.second = mix(stain.nucleus, {200, 120, 220}, 0.4f);
  nucleus.period = 0.3f * radius;
  if (rng.chance(0.35)) {  // a lymphocyte: nearly all nucleus
    thing.parts.push_back(filled(blob(center, 0.86f * radius, 0.08f, 10, rng), nucleus));
    return thing;
  }
  // Lobes on an arc, joined by bridges.
  const int lobes = static_cast<int>(rng.integer(2, 4));
  const float start = static_cast<float>(rng.uniform(0, 2 * std::numbers::pi));
  const float step = static_cast<float>(rng.uniform(0.9, 1.4));
  std::vector<Vec2> bridge;
  for (int i = 0; i < lobes; ++i) {
    const float at = start + step * static_cast<float>(i);
    const Vec2 lobe{center.x + 0.45f * radius * std::cos(at), center.y + 0.45f * radius * std::sin(at)};
    bridge.push_back(lobe);
    thing.parts.push_back(filled(blob(lobe, radius * float(rng.uniform(0.3, 0.42)), 0.14f, 8, rng), nucleus));
  }
  thing.parts.push_back(stroked(smooth_open(bridge), 0.3f * radius, nucleus));
  return thing;
}

Thing platelet(Vec2 center, float radius, const Stain& stain, Rng& rng) {
  Thing thing;
  thing.name = kPlatelet;
  Paint paint;
  paint.fill = Fill::radial;
  paint.color = mix(stain.nucleus, stain.ground, 0.15f);
  paint.second = mix(stain.nucleus, stain.ground, 0.55f);
  thing.parts.push_back(filled(blob(center, radius, 0.25f, 7, rng), paint));
  return thing;
}

// Like place_disc, but cells may touch, overlap a little, and be cut by the picture's edge.
bool place_cell(std::vector<Disc>& placed, float radius, float closeness, const Scene& scene, Rng& rng) {
  for (int i = 0; i < 25; ++i) {
    const Vec2 center{static_cast<float>(rng.uniform(-0.4 * radius, scene.width + 0.4 * radius)),
                      static_cast<float>(rng.uniform(-0.4 * radius, scene.height + 0.4 * radius))};
    const bool free = std::all_of(placed.begin(), placed.end(), [&](const Disc& other) {
      return std::hypot(other.center.x - center.x, other.center.y - center.y) > closeness * (other.radius + radius);
    });
    if (!free) continue;
    placed.push_back({center, radius});
    return true;
  }
  return false;
}

}  // namespace

Scene compose_cells(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const Stain stain(rng);
  scene.background = {.color = stain.ground,
                      .second = mix(stain.ground, {180, 170, 180}, 0.35f),
                      .fill = Fill::clouds,
                      .period = 0.6f * static_cast<float>(width),
                      .grain = 5,
                      .seed = static_cast<uint32_t>(rng.next())};
  const float side = static_cast<float>(std::min(width, height));
  const float radius = side * static_cast<float>(rng.uniform(0.085, 0.125));
  std::vector<Disc> placed;
  std::vector<Thing> white, platelets, red;
  for (int64_t n = rng.chance(0.2) ? rng.integer(0, 3) : 1; n > 0; --n) {
    const float r = radius * static_cast<float>(rng.uniform(1.3, 1.8));
    if (place_cell(placed, r, 0.95f, scene, rng)) white.push_back(white_cell(placed.back().center, r, stain, rng));
  }
  for (int64_t n = rng.chance(0.45) ? 0 : rng.integer(1, 4); n > 0; --n) {
    const float r = radius * static_cast<float>(rng.uniform(0.25, 0.42));
    if (place_cell(placed, r, 1.1f, scene, rng)) platelets.push_back(platelet(placed.back().center, r, stain, rng));
  }
  const double crowding = rng.uniform(0.15, 0.75);
  const int wanted = static_cast<int>(crowding * width * height / (3.14 * radius * radius));
  for (int i = 0; i < wanted; ++i) {
    const float r = radius * static_cast<float>(rng.uniform(0.85, 1.12));
    if (place_cell(placed, r, 0.8f, scene, rng)) red.push_back(red_cell(placed.back().center, r, stain, rng));
  }
  for (std::vector<Thing>* group : {&red, &platelets, &white}) {
    for (Thing& thing : *group) scene.things.push_back(std::move(thing));
  }
  scene.camera = plain_camera(rng);
  scene.camera.noise = static_cast<float>(rng.uniform(2, 9));
  scene.camera.blur_radius = rng.chance(0.5) ? 1 : 0;
  scene.camera.vignette = static_cast<float>(rng.uniform(0, 0.2));
  return scene;
}

void describe_cells(const Scene& scene, Rng& rng, WorldSample& sample) {
  sample.count = {{kRed, 0}, {kWhite, 0}, {kPlatelet, 0}};
  add_boxes(scene, sample);
  const int red = sample.count[kRed], white = sample.count[kWhite], platelets = sample.count[kPlatelet];
  std::vector<std::string> seen;
  for (const auto& [n, name] : {std::pair{white, kWhite}, {platelets, kPlatelet}}) {
    if (n > 0) seen.push_back(count_phrase(n, name));
  }
  if (red > 0) seen.push_back(red <= 3 ? count_phrase(red, kRed) : (red > 15 ? "many " : "several ") + plural(kRed));
  sample.caption = seen.empty() ? "An empty microscope slide." : "A blood smear with " + join_list(seen) + ".";
  sample.qa.push_back({"How many white blood cells are there?", std::to_string(white)});
  sample.qa.push_back({"How many red blood cells are there?", std::to_string(red)});
  sample.qa.push_back({"Are there platelets in the image?", yes_no(platelets > 0)});
  sample.qa.push_back({"How many platelets are there?", std::to_string(platelets)});
  add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
    switch (r.below(3)) {
      case 0: {
        const int said = static_cast<int>(r.integer(0, 3));
        return {"There " + std::string(said == 1 ? "is " : "are ") + count_phrase(said, kPlatelet, OneAs::number) + ".",
                said == platelets};
      }
      case 1: {
        const int said = static_cast<int>(r.integer(0, 2));
        return {"There " + std::string(said == 1 ? "is " : "are ") + count_phrase(said, kWhite, OneAs::number) + ".",
                said == white};
      }
      default: {
        const int said = std::max(1, red + static_cast<int>(r.integer(-6, 6)));
        return {"There are at least " + std::to_string(said) + " red blood cells.", red >= said};
      }
    }
  });
}

}  // namespace sensorium::data
