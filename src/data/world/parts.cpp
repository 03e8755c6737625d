// Machine parts on a bench, whole or with defects, as an inspection camera sees them.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "data/world/kinds.h"
#include "data/world/objects.h"
#include "data/world/phrases.h"

namespace sensorium::data {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

// A part under construction, in unit coordinates (-1..1) until it is placed.
struct Workpiece {
  Thing body;
  std::vector<Thing> defects;
  std::function<Vec2(Rng&)> surface;  // a point of the plain surface, away from rims and holes
  Rgb tone;
};

Paint metal(Rgb tone, Rng& rng) {
  Paint paint;
  paint.fill = Fill::linear;
  paint.color = mix(tone, {255, 255, 255}, static_cast<float>(rng.uniform(0.05, 0.25)));
  paint.second = mix(tone, {0, 0, 0}, static_cast<float>(rng.uniform(0.1, 0.3)));
  paint.angle = static_cast<float>(rng.uniform(0, 2 * kPi));
  paint.grain = static_cast<float>(rng.uniform(3, 16));
  paint.seed = static_cast<uint32_t>(rng.next());
  return paint;
}

Rgb metal_tone(Rng& rng) {
  static constexpr Rgb kTones[] = {{168, 170, 174}, {138, 142, 148}, {188, 170, 120}, {176, 122, 84}, {112, 118, 128}};
  const Rgb tone = rng.pick(kTones);
  return mix(tone, {200, 200, 200}, static_cast<float>(rng.uniform(0, 0.3)));
}

std::vector<Vec2> reversed(std::vector<Vec2> contour) {
  std::reverse(contour.begin(), contour.end());
  return contour;
}

Thing defect(std::string_view name) {
  Thing thing;
  thing.name = name;
  return thing;
}

// --- Defects that any surface can have; `at` on the part, sizes in its unit ------------------------------------------

Thing scratch(Vec2 at, Rgb tone, Rng& rng) {
  Thing thing = defect("scratch");
  const float turn = static_cast<float>(rng.uniform(0, 2 * kPi)), length = static_cast<float>(rng.uniform(0.25, 0.5));
  const Vec2 along{length * std::cos(turn), length * std::sin(turn)};
  const float bend = static_cast<float>(rng.uniform(-0.15, 0.15));
  const std::vector<Vec2> line = smooth_open({{at.x - 0.5f * along.x, at.y - 0.5f * along.y},
                                              {at.x - bend * along.y, at.y + bend * along.x},
                                              {at.x + 0.5f * along.x, at.y + 0.5f * along.y}});
  const bool bright = rng.chance(0.5);
  const float pen = static_cast<float>(rng.uniform(0.018, 0.03));
  thing.parts.push_back(stroked(line, pen, flat(mix(tone, bright ? Rgb{255, 255, 255} : Rgb{15, 15, 15}, 0.75f))));
  return thing;
}

Thing hole(Vec2 at, Rgb, Rng& rng) {
  Thing thing = defect("hole");
  std::vector<Vec2> points;
  const float radius = static_cast<float>(rng.uniform(0.06, 0.11));
  for (int i = 0; i < 8; ++i) {
    const float r = radius * static_cast<float>(rng.uniform(0.7, 1.2)), angle = kPi * static_cast<float>(i) / 4;
    points.push_back({at.x + r * std::cos(angle), at.y + r * std::sin(angle)});
  }
  thing.parts.push_back(filled(smooth_closed(points), flat({18, 16, 16})));
  return thing;
}

Thing dent(Vec2 at, Rgb tone, Rng& rng) {
  Thing thing = defect("dent");
  const float radius = static_cast<float>(rng.uniform(0.09, 0.15));
  Paint paint;
  paint.fill = Fill::linear;
  paint.color = mix(tone, {0, 0, 0}, 0.6f);
  paint.second = mix(tone, {255, 255, 255}, 0.65f);
  paint.angle = static_cast<float>(rng.uniform(0, 2 * kPi));
  thing.parts.push_back(filled(ellipse(at, radius, radius * float(rng.uniform(0.7, 1)), paint.angle), paint));
  return thing;
}

Thing stain(Vec2 at, Rgb, Rng& rng) {
  Thing thing = defect("stain");
  static constexpr Rgb kTones[] = {{122, 62, 24}, {72, 46, 30}, {48, 60, 40}, {150, 80, 30}};
  const float radius = static_cast<float>(rng.uniform(0.1, 0.18));
  std::vector<Vec2> points;
  for (int i = 0; i < 9; ++i) {
    const float r = radius * static_cast<float>(rng.uniform(0.55, 1.25)), angle = 2 * kPi * static_cast<float>(i) / 9;
    points.push_back({at.x + r * std::cos(angle), at.y + r * std::sin(angle)});
  }
  Paint paint = flat(rng.pick(kTones));
  paint.fill = Fill::clouds;
  paint.second = mix(paint.color, {200, 140, 90}, 0.3f);
  paint.period = 6;
  paint.opacity = static_cast<float>(rng.uniform(0.7, 0.92));
  paint.seed = static_cast<uint32_t>(rng.next());
  thing.parts.push_back(filled(smooth_closed(points), paint));
  return thing;
}

Thing crack(Vec2 at, Rgb, Rng& rng) {
  Thing thing = defect("crack");
  std::vector<Vec2> line = {at};
  float turn = static_cast<float>(rng.uniform(0, 2 * kPi));
  for (int64_t n = rng.integer(4, 6); n > 0; --n) {
    turn += static_cast<float>(rng.uniform(-0.9, 0.9));
    const float step = static_cast<float>(rng.uniform(0.05, 0.1));
    line.push_back({line.back().x + step * std::cos(turn), line.back().y + step * std::sin(turn)});
  }
  thing.parts.push_back(stroked(std::move(line), 0.024f, flat({20, 18, 18})));
  return thing;
}

using MakeDefect = Thing (*)(Vec2, Rgb, Rng&);
constexpr MakeDefect kSurfaceDefects[] = {scratch, hole, dent, stain, crack};

// --- Parts ----------------------------------------------------------------------------------------------------------

std::function<Vec2(Rng&)> ring_surface(float inner, float outer) {
  return [=](Rng& rng) {
    const float r = static_cast<float>(rng.uniform(inner, outer)), at = static_cast<float>(rng.uniform(0, 2 * kPi));
    return Vec2{r * std::cos(at), r * std::sin(at)};
  };
}

Workpiece gear(int defects, Rng& rng) {
  Workpiece work;
  work.tone = metal_tone(rng);
  work.body.name = "gear";
  const int teeth = static_cast<int>(rng.integer(9, 18));
  const float root = static_cast<float>(rng.uniform(0.72, 0.8)), bore = static_cast<float>(rng.uniform(0.16, 0.3));
  const float pitch = 2 * kPi / static_cast<float>(teeth);
  const int broken = defects > 0 && rng.chance(0.45) ? static_cast<int>(rng.below(static_cast<uint64_t>(teeth))) : -1;
  std::vector<Vec2> outline;
  const auto on_circle = [](float radius, float at) { return Vec2{radius * std::sin(at), -radius * std::cos(at)}; };
  for (int i = 0; i < teeth; ++i) {
    const float at = pitch * static_cast<float>(i);
    const std::vector<Vec2> tooth = {on_circle(root, at - 0.30f * pitch), on_circle(1, at - 0.17f * pitch),
                                     on_circle(1, at + 0.17f * pitch), on_circle(root, at + 0.30f * pitch)};
    if (i == broken) {
      Thing missing = defect("missing tooth");
      Part place = filled(tooth, {});
      place.ghost = true;
      missing.parts.push_back(std::move(place));
      work.defects.push_back(std::move(missing));
      // A stump: the break is not quite on the root circle.
      outline.push_back(tooth[0]);
      outline.push_back(on_circle(root + 0.04f, at - 0.1f * pitch));
      outline.push_back(on_circle(root - 0.01f, at + 0.1f * pitch));
      outline.push_back(tooth[3]);
    } else {
      outline.insert(outline.end(), tooth.begin(), tooth.end());
    }
  }
  Part body = filled(outline, metal(work.tone, rng));
  body.lines.push_back(reversed(ellipse({}, bore, bore)));
  float inner = bore + 0.14f;
  if (rng.chance(0.4)) {  // lightening holes
    const int holes = static_cast<int>(rng.integer(3, 6));
    for (int i = 0; i < holes; ++i) {
      body.lines.push_back(reversed(ellipse(on_circle(0.47f, 2 * kPi * float(i) / float(holes)), 0.1f, 0.1f)));
    }
    inner = 0.62f;
  } else {
    work.body.parts.push_back(body);
    body = stroked(ellipse({}, bore + 0.09f, bore + 0.09f), 0.02f, flat(mix(work.tone, {0, 0, 0}, 0.35f)));
    body.lines[0].push_back(body.lines[0].front());
  }
  work.body.parts.push_back(std::move(body));
  work.surface = ring_surface(inner, root - 0.06f);
  return work;
}

Workpiece ring(int, Rng& rng) {
  Workpiece work;
  work.tone = metal_tone(rng);
  work.body.name = "ring";
  const float inner = static_cast<float>(rng.uniform(0.35, 0.6));
  Part body = filled(ellipse({}, 1, 1), metal(work.tone, rng));
  body.lines.push_back(reversed(ellipse({}, inner, inner)));
  work.body.parts.push_back(std::move(body));
  work.surface = ring_surface(inner + 0.13f, 0.85f);
  return work;
}

Workpiece plate(int, Rng& rng) {
  Workpiece work;
  work.tone = metal_tone(rng);
  work.body.name = "plate";
  const float half = static_cast<float>(rng.uniform(0.5, 0.8));
  const Paint sheet = metal(work.tone, rng);
  Part body = filled(rounded_rectangle(-1, -half, 1, half, static_cast<float>(rng.uniform(0.02, 0.2))), sheet);
  const float bore = static_cast<float>(rng.uniform(0.06, 0.1));
  for (const float x : {-0.8f, 0.8f}) {
    for (const float y : {-half + 0.2f, half - 0.2f}) body.lines.push_back(reversed(ellipse({x, y}, bore, bore)));
  }
  work.body.parts.push_back(std::move(body));
  work.surface = [half](Rng& r) {
    return Vec2{static_cast<float>(r.uniform(-0.55, 0.55)), static_cast<float>(r.uniform(0.25 - half, half - 0.25))};
  };
  return work;
}

Workpiece circuit_board(int defects, Rng& rng) {
  Workpiece work;
  static constexpr Rgb kBoards[] = {{28, 92, 52}, {24, 74, 120}, {30, 110, 70}, {90, 28, 34}};
  work.tone = rng.pick(kBoards);
  work.body.name = "circuit board";
  const float half = static_cast<float>(rng.uniform(0.6, 0.85));
  Paint board = flat(work.tone);
  board.grain = 6;
  work.body.parts.push_back(filled(rounded_rectangle(-1, -half, 1, half, 0.05f), board));
  const Paint copper = flat(mix(work.tone, {200, 190, 110}, 0.45f)), solder = flat({196, 198, 202});
  for (int64_t n = rng.integer(6, 12); n > 0; --n) {  // traces with a 45 degree bend, as layout programs draw them
    const float x = static_cast<float>(rng.uniform(-0.9, 0.5)),
                y = static_cast<float>(rng.uniform(0.1 - half, half - 0.1));
    const float run = static_cast<float>(rng.uniform(0.1, 0.3)), drop = static_cast<float>(rng.uniform(-0.15, 0.15));
    const float end_y = std::clamp(y + drop, 0.08f - half, half - 0.08f);
    const float bend = x + run + std::abs(end_y - y);
    work.body.parts.push_back(
        stroked({{x, y}, {x + run, y}, {bend, end_y}, {std::min(0.95f, bend + run), end_y}}, 0.02f, copper));
    work.body.parts.push_back(filled(ellipse({x, y}, 0.03f, 0.03f), solder));
  }
  const int columns = 4, rows = 3;
  const float step_x = 0.45f, step_y = 2 * half / static_cast<float>(rows);
  int missing = defects > 0 && rng.chance(0.55) ? static_cast<int>(rng.below(columns * rows)) : -1;
  for (int i = 0; i < columns * rows; ++i) {
    if (i != missing && rng.chance(0.3)) continue;
    const float x = -0.68f + step_x * static_cast<float>(i % columns),
                y = -half + step_y * (static_cast<float>(i / columns) + 0.5f);
    const float w = static_cast<float>(rng.uniform(0.1, 0.17)), h = static_cast<float>(rng.uniform(0.07, 0.13));
    for (int pin = -1; pin <= 1; ++pin) {
      const float px = x + 0.7f * w * static_cast<float>(pin);
      work.body.parts.push_back(filled(rectangle(px - 0.02f, y - h - 0.04f, px + 0.02f, y + h + 0.04f), solder));
    }
    if (i == missing) {
      Thing gap = defect("missing component");
      Part place = filled(rectangle(x - w, y - h - 0.04f, x + w, y + h + 0.04f), {});
      place.ghost = true;
      gap.parts.push_back(std::move(place));
      work.defects.push_back(std::move(gap));
      // Between the pads the bare board shows.
      work.body.parts.push_back(filled(rectangle(x - w, y - h, x + w, y + h), flat(mix(work.tone, {0, 0, 0}, 0.15f))));
      work.body.parts.push_back(filled(rectangle(x - 0.8f * w, y - 0.8f * h, x + 0.8f * w, y + 0.8f * h), board));
      continue;
    }
    const bool capacitor = rng.chance(0.25);
    const Rgb tone = capacitor ? Rgb{190, 140, 80} : Rgb{30, 30, 34};
    work.body.parts.push_back(filled(rectangle(x - w, y - h, x + w, y + h), flat(tone)));
    work.body.parts.push_back(filled(ellipse({x - 0.75f * w, y - 0.6f * h}, 0.015f, 0.015f), flat({150, 150, 150})));
  }
  work.surface = [half](Rng& r) {
    return Vec2{static_cast<float>(r.uniform(-0.7, 0.7)), static_cast<float>(r.uniform(0.2 - half, half - 0.2))};
  };
  return work;
}

using MakePart = Workpiece (*)(int defects, Rng&);
constexpr MakePart kParts[] = {gear, ring, plate, circuit_board};

std::string defect_phrase(const Thing& thing) { return with_article(thing.name); }

constexpr std::string_view kDefectNames[] = {"scratch", "hole", "dent", "stain", "crack"};

}  // namespace

Scene compose_parts(Rng& rng, int width, int height) {
  Scene scene{.width = width, .height = height};
  const int wanted = rng.chance(0.5) ? 0 : rng.chance(0.7) ? 1 : static_cast<int>(rng.integer(2, 3));
  Workpiece work = rng.pick(kParts)(wanted, rng);
  std::vector<Vec2> used;
  for (const Thing& thing : work.defects) used.push_back(thing.parts[0].lines[0][0]);
  for (int attempt = 0; attempt < 30 && static_cast<int>(work.defects.size()) < wanted; ++attempt) {
    const Vec2 at = work.surface(rng);
    // Defects keep apart, so that each can be told.
    if (std::any_of(used.begin(), used.end(), [&](Vec2 u) { return std::hypot(u.x - at.x, u.y - at.y) < 0.45f; }))
      continue;
    used.push_back(at);
    work.defects.push_back(rng.pick(kSurfaceDefects)(at, work.tone, rng));
  }
  const float side = static_cast<float>(std::min(width, height));
  const float radius = side * static_cast<float>(rng.uniform(0.34, 0.44));
  const Vec2 center{0.5f * float(width) + 0.03f * side * float(rng.uniform(-1, 1)),
                    0.5f * float(height) + 0.03f * side * float(rng.uniform(-1, 1))};
  const bool turned = work.body.name == "gear" || work.body.name == "ring" || rng.chance(0.5);
  const float turn = static_cast<float>(turned ? rng.uniform(0, 2 * kPi) : 0.05 * rng.normal());
  const Transform place = Transform::placed(center, radius, turn);
  scene.background.color = rng.chance(0.5) ? Rgb{36, 38, 44} : Rgb{206, 202, 194};
  scene.background.color =
      mix(scene.background.color, {float(rng.uniform(0, 255)), float(rng.uniform(0, 255)), float(rng.uniform(0, 255))},
          0.2f);
  scene.background.second = mix(scene.background.color, {120, 120, 120}, 0.3f);
  static constexpr Fill kBenches[] = {Fill::flat, Fill::linear, Fill::clouds, Fill::clouds, Fill::stripes};
  scene.background.fill = rng.pick(kBenches);
  if (scene.background.fill == Fill::stripes) {
    scene.background.second = mix(scene.background.color, scene.background.second, 0.4f);
  }
  scene.background.period = static_cast<float>(rng.uniform(8, 70));
  scene.background.angle = static_cast<float>(rng.uniform(0, 2 * kPi));
  scene.background.grain = static_cast<float>(rng.uniform(2, 14));
  scene.background.seed = static_cast<uint32_t>(rng.next());
  Thing shadow;
  shadow.annotated = false;
  shadow.parts = {work.body.parts.front()};
  shadow.parts[0].paint = flat({0, 0, 0});
  shadow.parts[0].paint.opacity = 0.3f;
  transform_parts(place, shadow.parts);
  transform_parts({1, 0, 0, 1, 0.05f * radius, 0.06f * radius}, shadow.parts);
  scene.things.push_back(std::move(shadow));
  transform_parts(place, work.body.parts);
  scene.topic = work.body.name;
  scene.things.push_back(std::move(work.body));
  for (Thing& thing : work.defects) {
    transform_parts(place, thing.parts);
    for (Part& part : thing.parts) part.pen_width = std::max(1.4f, part.pen_width);
    scene.things.push_back(std::move(thing));
  }
  scene.camera = plain_camera(rng);
  return scene;
}

void describe_parts(const Scene& scene, Rng& rng, WorldSample& sample) {
  add_boxes(scene, sample);
  std::vector<const Thing*> defects;
  for (const Thing& thing : scene.things) {
    if (thing.annotated && thing.name != scene.topic) defects.push_back(&thing);
  }
  std::vector<std::string> phrases;
  for (const Thing* thing : defects) phrases.push_back(defect_phrase(*thing));
  sample.caption = capitalized(with_article(scene.topic)) +
                   (defects.empty() ? " without defects." : " with " + join_list(phrases) + ".");
  sample.qa.push_back({"Which part is this?", scene.topic});
  sample.qa.push_back({"Does the part have a defect?", yes_no(!defects.empty())});
  sample.qa.push_back({"How many defects does the part have?", std::to_string(defects.size())});
  if (defects.size() <= 1) {
    sample.qa.push_back({"Which defect does the part have?", defects.empty() ? "none" : defects[0]->name});
  }
  add_balanced_statement(sample, rng, [&](Rng& r) -> Statement {
    if (r.chance(0.3)) return {"The " + scene.topic + " has no defect.", defects.empty()};
    const std::string said =
        !defects.empty() && r.chance(0.5) ? r.pick(defects)->name : std::string(r.pick(kDefectNames));
    return {"The " + scene.topic + " has " + with_article(said) + ".",
            std::any_of(defects.begin(), defects.end(), [&](const Thing* t) { return t->name == said; })};
  });
}

}  // namespace sensorium::data
