// People on a building site, some with safety helmets: near and far, in groups, partly hidden, before clutter.
#include <algorithm>
#include <cmath>

#include "data/world/figures.h"
#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

float between(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }
Rgb random_rgb(Rng& rng) { return {between(rng, 0, 255), between(rng, 0, 255), between(rng, 0, 255)}; }
Rgb muted(Rng& rng) {
  const float grey = between(rng, 50, 210);
  return mix({grey, grey, grey}, random_rgb(rng), 0.22f);
}
uint32_t seed32(Rng& rng) { return static_cast<uint32_t>(rng.next()); }

Thing scenery(float distance_m) {
  Thing thing;
  thing.annotated = false;
  thing.distance_m = distance_m;
  return thing;
}

Thing building(float x0, float x1, float top, float base, Rng& rng) {
  Thing thing = scenery(40);
  Paint wall = flat(muted(rng));
  if (rng.chance(0.4)) {
    wall.fill = Fill::bricks;
    wall.period = between(rng, 4, 9);
    wall.second = mix(wall.color, {230, 225, 215}, 0.4f);
    wall.seed = seed32(rng);
  }
  wall.grain = 6;
  thing.parts.push_back(filled(rectangle(x0, top, x1, base), wall));
  const float step_x = between(rng, 14, 34), step_y = between(rng, 16, 40);
  const Paint window = flat(rng.chance(0.5) ? Rgb{60, 76, 92} : Rgb{170, 195, 210});
  if (rng.chance(0.75)) {
    for (float y = top + 6; y + 0.6f * step_y < base; y += step_y) {
      for (float x = x0 + 5; x + 0.6f * step_x < x1; x += step_x) {
        thing.parts.push_back(filled(rectangle(x, y, x + 0.55f * step_x, y + 0.55f * step_y), window));
      }
    }
  }
  return thing;
}

Thing scaffold(float width, float top, float base, float pen, Rng& rng) {
  Thing thing = scenery(20);
  const Rgb coat = rng.chance(0.3) ? Rgb{220, 150, 40} : Rgb{140, 144, 150};
  const Paint steel = flat(mix(muted(rng), coat, 0.7f));
  const float step_x = between(rng, 24, 60), step_y = between(rng, 22, 48), shift = between(rng, 0, 30);
  for (float x = shift; x < width; x += step_x) thing.parts.push_back(stroked({{x, top}, {x, base}}, pen, steel));
  for (float y = top + 4; y < base; y += step_y) {
    thing.parts.push_back(stroked({{shift, y}, {width, y}}, pen, steel));
    if (rng.chance(0.5)) {
      const float x = shift + step_x * static_cast<float>(rng.integer(0, 3));
      thing.parts.push_back(stroked({{x, y}, {x + step_x, y + step_y}}, pen, steel));
    }
  }
  return thing;
}

Thing crane(float x, float top, float base, Rng& rng) {
  Thing thing = scenery(80);
  const Paint steel = flat(rng.chance(0.6) ? Rgb{226, 176, 40} : Rgb{200, 70, 50});
  const float length = between(rng, 40, 140), w = 4;
  const float reach = rng.chance(0.5) ? length : -length;
  thing.parts.push_back(stroked({{x - w, base}, {x - w, top}}, 1.3f, steel));
  thing.parts.push_back(stroked({{x + w, base}, {x + w, top}}, 1.3f, steel));
  for (float y = top; y < base - 8; y += 8) thing.parts.push_back(stroked({{x - w, y}, {x + w, y + 8}}, 1, steel));
  thing.parts.push_back(stroked({{x - 0.3f * reach, top}, {x + reach, top}}, 2.2f, steel));
  thing.parts.push_back(stroked({{x, top - 14}, {x + reach, top}}, 1, steel));
  const float hook = x + 0.7f * reach;
  thing.parts.push_back(stroked({{hook, top}, {hook, top + between(rng, 15, 50)}}, 1, flat({40, 40, 44})));
  return thing;
}

// Planks, boxes, barrels, buckets and balls; some in the colours of helmets, so that colour alone tells nothing.
Thing clutter(float x, float y, float size, Rng& rng) {
  Thing thing = scenery(10);
  const bool helmet_like = rng.chance(0.35);
  Rgb color = muted(rng);
  if (helmet_like) color = mix(rng.pick(object_colors()).rgb, color, 0.25f);
  Paint paint = flat(color);
  paint.fill = Fill::linear;
  paint.second = mix(color, {0, 0, 0}, 0.35f);
  paint.angle = between(rng, 0, 3);
  switch (rng.below(6)) {
    case 0: {  // planks
      const float tilt = between(rng, -0.3, 0.3);
      for (int i = 0; i < 3; ++i) {
        const float dy = 0.16f * size * static_cast<float>(i);
        thing.parts.push_back(stroked({{x - size, y - dy}, {x + size, y - dy + tilt * size}}, 0.12f * size, paint));
      }
      break;
    }
    case 1:  // a box or a brick stack
      if (rng.chance(0.5)) {
        paint.fill = Fill::bricks;
        paint.period = std::max(3.0f, 0.2f * size);
      }
      thing.parts.push_back(
          filled(rectangle(x - size, y - size, x + between(rng, 0.2, 1) * size, y + 0.4f * size), paint));
      break;
    case 2:  // a barrel
      thing.parts.push_back(
          filled(rounded_rectangle(x - 0.4f * size, y - size, x + 0.4f * size, y + 0.3f * size, 0.12f * size), paint));
      thing.parts.push_back(stroked({{x - 0.38f * size, y - 0.4f * size}, {x + 0.38f * size, y - 0.4f * size}},
                                    0.06f * size, flat(paint.second)));
      break;
    case 3:  // a bucket
      thing.parts.push_back(filled({{x - 0.4f * size, y - 0.7f * size},
                                    {x + 0.4f * size, y - 0.7f * size},
                                    {x + 0.28f * size, y},
                                    {x - 0.28f * size, y}},
                                   paint));
      break;
    case 4:  // a traffic cone
      thing.parts.push_back(filled({{x, y - size}, {x + 0.4f * size, y}, {x - 0.4f * size, y}}, flat({236, 98, 30})));
      thing.parts.push_back(stroked({{x - 0.2f * size, y - 0.45f * size}, {x + 0.2f * size, y - 0.45f * size}},
                                    0.14f * size, flat({240, 240, 240})));
      break;
    default:  // a ball, a lamp, a heap
      thing.parts.push_back(filled(ellipse({x, y}, 0.5f * size, size * between(rng, 0.25, 0.5)), paint));
  }
  return thing;
}

void outdoors(Scene& scene, float horizon, Rng& rng) {
  const float w = static_cast<float>(scene.width), h = static_cast<float>(scene.height);
  static constexpr Rgb kSkies[] = {{180, 208, 232}, {206, 214, 220}, {150, 190, 230}, {224, 222, 214}, {120, 130, 146}};
  scene.background.color = rng.pick(kSkies);
  scene.background.second = mix(scene.background.color, {250, 248, 244}, between(rng, 0.2, 0.7));
  scene.background.fill = rng.chance(0.5) ? Fill::clouds : Fill::linear;
  scene.background.angle = 1.57f;
  scene.background.period = between(rng, 30, 90);
  scene.background.seed = seed32(rng);
  for (int64_t n = rng.integer(0, 3); n > 0; --n) {
    const float x = between(rng, -0.2, 0.9) * w;
    const float top = between(rng, 0, 0.8) * horizon, wide = between(rng, 0.2, 0.7) * w;
    scene.things.push_back(building(x, x + wide, top, horizon + 4, rng));
  }
  if (rng.chance(0.35)) {
    const float top = between(rng, 0.05, 0.35) * h, x = between(rng, 0, 1) * w;
    scene.things.push_back(crane(x, top, horizon, rng));
  }
  if (rng.chance(0.5)) {
    const float pen = between(rng, 1, 3), top = between(rng, 0, 0.5) * horizon;
    scene.things.push_back(scaffold(w, top, horizon + 6, pen, rng));
  }
  Thing ground = scenery(8);
  static constexpr Rgb kGrounds[] = {{150, 132, 106}, {140, 138, 134}, {110, 96, 80}, {176, 168, 152}, {96, 100, 92}};
  Paint soil = flat(rng.pick(kGrounds));
  soil.fill = Fill::clouds;
  soil.second = mix(soil.color, {60, 54, 46}, 0.4f);
  soil.period = between(rng, 8, 40);
  soil.seed = seed32(rng);
  soil.grain = between(rng, 4, 18);
  ground.parts.push_back(filled(rectangle(0, horizon, w, h), soil));
  scene.things.push_back(std::move(ground));
}

void indoors(Scene& scene, float horizon, Rng& rng) {
  const float w = static_cast<float>(scene.width), h = static_cast<float>(scene.height);
  const float plaster = between(rng, 0, 0.7);
  scene.background = flat(mix(muted(rng), {190, 186, 178}, plaster));
  scene.background.fill = rng.chance(0.4) ? Fill::bricks : Fill::linear;
  scene.background.second = mix(scene.background.color, {40, 40, 44}, between(rng, 0.1, 0.5));
  scene.background.period = between(rng, 5, 14);
  scene.background.angle = between(rng, 0, 6.28);
  scene.background.grain = 6;
  Thing fittings = scenery(12);
  for (int64_t n = rng.integer(1, 5); n > 0; --n) {  // pipes and beams
    const float y = between(rng, 0, 1) * horizon, x = between(rng, 0, 1) * w;
    const Paint pipe = flat(muted(rng));
    if (rng.chance(0.6)) {
      const float pen = between(rng, 2, 9), slope = between(rng, -20, 20);
      fittings.parts.push_back(stroked({{0, y}, {w, y + slope}}, pen, pipe));
    } else {
      fittings.parts.push_back(stroked({{x, 0}, {x, horizon}}, between(rng, 3, 14), pipe));
    }
  }
  if (rng.chance(0.5)) {  // a window or a poster
    const float x = between(rng, 0, 0.7) * w, y = between(rng, 0.05, 0.4) * horizon;
    const Paint pane = flat(mix(random_rgb(rng), {220, 230, 240}, 0.6f));
    const float tall = between(rng, 0.2, 0.4) * horizon, wide = between(rng, 0.1, 0.3) * w;
    fittings.parts.push_back(filled(rectangle(x, y, x + wide, y + tall), pane));
  }
  scene.things.push_back(std::move(fittings));
  Thing floor = scenery(8);
  Paint paint = flat(muted(rng));
  paint.fill = rng.chance(0.5) ? Fill::clouds : Fill::linear;
  paint.second = mix(paint.color, {30, 30, 30}, 0.4f);
  paint.angle = 1.57f;
  paint.period = 30;
  paint.grain = 6;
  floor.parts.push_back(filled(rectangle(0, horizon, w, h), paint));
  scene.things.push_back(std::move(floor));
}

std::vector<Figure> place_figures(const Scene& scene, Rng& rng) {
  const float w = static_cast<float>(scene.width), h = static_cast<float>(scene.height);
  // Near, middle or far: head heights as a share of the picture's height, and how many people fit.
  struct Shot {
    double low, high;
    int most;
  };
  static constexpr Shot kShots[] = {{0.16, 0.32, 3}, {0.08, 0.16, 6}, {0.08, 0.16, 6}, {0.045, 0.085, 9}};
  const Shot& shot = rng.pick(kShots);
  const int64_t wanted = rng.chance(0.03) ? 0 : rng.integer(1, shot.most);
  const double helmet_share = rng.chance(0.45) ? 1.0 : rng.chance(0.3) ? 0.0 : rng.uniform(0.2, 0.8);
  std::vector<Figure> figures;
  for (int attempt = 0; attempt < 40 && static_cast<int64_t>(figures.size()) < wanted; ++attempt) {
    Figure figure;
    figure.head_height = std::max(7.0f, h * between(rng, shot.low, shot.high));
    const float margin = 0.55f * figure.head_height;
    // Bigger heads stand lower in the picture: they are nearer.
    const float near = (figure.head_height / h - float(shot.low)) / float(shot.high - shot.low);
    const float y = h * (0.2f + 0.25f * near) + h * between(rng, -0.1, 0.22);
    figure.head = {between(rng, margin, w - margin), std::clamp(y, 1.3f * margin, h - margin)};
    static constexpr Facing kFacings[] = {Facing::front, Facing::front, Facing::left, Facing::right, Facing::back};
    figure.facing = rng.pick(kFacings);
    figure.helmet = rng.chance(helmet_share);
    // A head of 0.23 m through a lens whose focal length is about the picture's height.
    figure.distance_m = 0.23f * h / figure.head_height;
    const bool free = std::all_of(figures.begin(), figures.end(), [&](const Figure& other) {
      const float reach = 0.7f * std::max(figure.head_height, other.head_height);
      return std::hypot(figure.head.x - other.head.x, figure.head.y - other.head.y) > reach;
    });
    if (free) figures.push_back(figure);
  }
  std::sort(figures.begin(), figures.end(),
            [](const Figure& a, const Figure& b) { return a.distance_m > b.distance_m; });
  return figures;
}

}  // namespace

Scene compose_site(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const float w = static_cast<float>(width), h = static_cast<float>(height);
  const float horizon = h * between(rng, 0.4, 0.7);
  if (rng.chance(0.7)) {
    outdoors(scene, horizon, rng);
  } else {
    indoors(scene, horizon, rng);
  }
  for (int64_t n = rng.integer(2, 14); n > 0; --n) {
    const float y = horizon + between(rng, 0.02, 0.6) * (h - horizon);
    const float size = between(rng, 0.03, 0.12) * h, x = between(rng, 0, 1) * w;
    scene.things.push_back(clutter(x, y, size, rng));
  }
  for (const Figure& figure : place_figures(scene, rng)) {
    DrawnFigure drawn = draw_figure(figure, rng);
    scene.things.push_back(std::move(drawn.body));
    scene.things.push_back(std::move(drawn.head));
  }
  if (rng.chance(0.3)) {
    const float size = between(rng, 0.1, 0.2) * h, y = between(rng, 0.8, 1) * h, x = between(rng, 0, 1) * w;
    scene.things.push_back(clutter(x, y, size, rng));
  }
  if (rng.chance(0.2)) {
    const float pen = between(rng, 2, 4), top = h * between(rng, 0, 0.5);
    scene.things.push_back(scaffold(w, top, h, pen, rng));
  }
  scene.camera = plain_camera(rng);
  scene.camera.brightness = between(rng, 0.8, 1.15);
  scene.camera.contrast = between(rng, 0.75, 1.15);
  const float tint = between(rng, 0, 0.12);
  scene.camera.tint = mix({255, 255, 255}, random_rgb(rng), tint);
  scene.camera.noise = between(rng, 1, 12);
  scene.camera.blur_radius = rng.chance(0.4) ? 1 : 0;
  return scene;
}

void describe_site(const Scene& scene, Rng& rng, WorldSample& sample) {
  sample.count = {{"helmet", 0}, {"head", 0}};
  add_boxes(scene, sample);
  const int with = sample.count["helmet"], without = sample.count["head"], people = with + without;
  const std::string who = count_phrase(people, "person");
  const bool everybody = people > 0 && without == 0;
  if (people == 0) {
    sample.caption = "A building site without people.";
  } else if (everybody) {
    sample.caption =
        capitalized(who) + " with " + (people == 1 ? "a safety helmet" : "safety helmets") + " on a building site.";
  } else if (with == 0) {
    sample.caption = capitalized(who) + " without " + (people == 1 ? "a helmet" : "helmets") + " on a building site.";
  } else {
    sample.caption = capitalized(who) + " on a building site, " + number_word(with) + " with a helmet and " +
                     number_word(without) + " without.";
  }
  sample.qa.push_back({"How many people wear a safety helmet?", std::to_string(with)});
  sample.qa.push_back({"How many people do not wear a safety helmet?", std::to_string(without)});
  if (people > 0) sample.qa.push_back({"Does everybody wear a safety helmet?", yes_no(everybody)});
  sample.qa.push_back({"How many people are there?", std::to_string(people)});
  for (const Thing& thing : scene.things) {
    if (with == 1 && thing.annotated && thing.name == "helmet") {
      sample.qa.push_back({"What colour is the helmet?", thing.color});
    }
  }
  add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
    switch (r.below(4)) {
      case 0:
        return {"Somebody does not wear a helmet.", without > 0};
      case 1: {
        const int said = std::max(1, with + static_cast<int>(r.integer(-1, 1)));
        return {
            capitalized(count_phrase(said, "person", OneAs::number)) + (said == 1 ? " wears" : " wear") + " a helmet.",
            said == with};
      }
      case 2:
        return {"There are more people with a helmet than without.", with > without};
      default: {
        const int said = std::max(2, people + static_cast<int>(r.integer(-1, 1)));
        return {"There are at least " + number_word(said) + " people.", people >= said};
      }
    }
  });
}

}  // namespace sensorium::data
