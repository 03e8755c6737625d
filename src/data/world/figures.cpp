#include "data/world/figures.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sensorium::data {
namespace {

// Units: the head is 1 high, its centre is the origin, y goes down; a person is about 7.5 heads tall.
using Outline = std::vector<Vec2>;
constexpr float kPi = std::numbers::pi_v<float>;

float between(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }

struct HelmetColor {
  std::string_view name;
  Rgb rgb;
  double share;
};
constexpr HelmetColor kHelmetColors[] = {
    {"yellow", {246, 204, 36}, 0.36}, {"white", {240, 240, 236}, 0.16}, {"red", {206, 40, 34}, 0.18},
    {"blue", {36, 92, 190}, 0.15},    {"orange", {240, 124, 28}, 0.10}, {"green", {40, 140, 70}, 0.05},
};
const HelmetColor& pick_helmet_color(Rng& rng) {
  double left = rng.uniform();
  for (const HelmetColor& color : kHelmetColors) {
    if ((left -= color.share) < 0) return color;
  }
  return kHelmetColors[0];
}

constexpr Rgb kSkins[] = {{250, 222, 200}, {240, 200, 170}, {226, 180, 146}, {206, 156, 120},
                          {178, 128, 92},  {146, 98, 68},   {110, 72, 50},   {78, 50, 38}};
constexpr Rgb kHairs[] = {{26, 22, 20}, {40, 30, 24}, {70, 46, 30}, {110, 76, 44}, {170, 136, 84}, {150, 148, 146}};
constexpr Rgb kClothes[] = {{40, 60, 110},   {60, 66, 74},    {28, 28, 34},   {96, 100, 80},
                            {130, 60, 50},   {170, 170, 168}, {70, 110, 150}, {110, 86, 60},
                            {200, 190, 170}, {50, 90, 70},    {160, 150, 60}, {150, 40, 60}};

Paint shaded(Rgb color, float angle) {
  Paint paint;
  paint.fill = Fill::linear;
  paint.color = mix(color, {255, 255, 255}, 0.12f);
  paint.second = mix(color, {0, 0, 0}, 0.28f);
  paint.angle = angle;
  return paint;
}

// An arc of the ellipse around `center` from angle `from` to `to` (0: right, pi/2: down).
Outline arc(Vec2 center, float rx, float ry, float from, float to, int steps = 14) {
  Outline points;
  for (int i = 0; i <= steps; ++i) {
    const float at = from + (to - from) * static_cast<float>(i) / static_cast<float>(steps);
    points.push_back({center.x + rx * std::cos(at), center.y + ry * std::sin(at)});
  }
  return points;
}

void add_face(std::vector<Part>& parts, Facing facing, Rgb skin, Rng& rng) {
  const float side = facing == Facing::left ? -1.0f : facing == Facing::right ? 1.0f : 0.0f;
  const Paint dark = flat(mix(skin, {20, 12, 10}, 0.8f)), soft = flat(mix(skin, {60, 20, 10}, 0.35f));
  for (const float eye : {-0.16f, 0.16f}) {
    if (side * eye < 0) continue;  // the far eye of a profile
    const float x = eye + 0.1f * side;
    parts.push_back(filled(ellipse({x, -0.04f}, 0.05f, 0.028f), dark));
    parts.push_back(stroked({{x - 0.07f, -0.12f}, {x + 0.07f, -0.12f}}, 0.025f, soft));
  }
  parts.push_back(stroked({{0.3f * side, 0.0f}, {0.04f + 0.38f * side, 0.13f}, {0.3f * side, 0.15f}}, 0.03f, soft));
  const float mouth = between(rng, 0.26, 0.3);
  parts.push_back(stroked({{-0.1f + 0.22f * side, mouth}, {0.1f + 0.18f * side, mouth}}, 0.035f,
                          flat(mix(skin, {140, 40, 40}, 0.55f))));
  if (rng.chance(0.2)) {  // a beard
    Outline beard = arc({0.06f * side, 0.1f}, 0.36f, 0.41f, 0.15f * kPi, 0.85f * kPi);
    Paint hair = flat(rng.pick(kHairs));
    hair.opacity = 0.75f;
    beard.push_back({-0.2f, 0.33f});
    beard.push_back({0.2f, 0.33f});
    parts.push_back(filled(std::move(beard), hair));
  }
}

void add_helmet(std::vector<Part>& parts, Facing facing, Rgb color, Rng& rng) {
  const float light = between(rng, -0.9, -0.1) * kPi;  // where the light comes from
  const Paint shell = shaded(color, light + kPi);
  const float top = between(rng, 0.5, 0.62), width = between(rng, 0.47, 0.53), rim = between(rng, -0.2, -0.1);
  const float side = facing == Facing::left ? -1.0f : facing == Facing::right ? 1.0f : 0.0f;
  if (rng.chance(0.4)) {  // chin strap
    parts.push_back(stroked({{-0.3f * (side == 0 ? 1 : 0.2f), rim}, {0.1f * side, 0.46f}}, 0.035f, flat({40, 40, 44})));
    if (side == 0) parts.push_back(stroked({{0.3f, rim}, {0, 0.46f}}, 0.035f, flat({40, 40, 44})));
  }
  Outline dome = arc({0, rim}, width, top, -kPi, 0);
  parts.push_back(filled(std::move(dome), shell));
  const Paint brim = flat(mix(color, {0, 0, 0}, 0.22f));
  if (side != 0) {
    parts.push_back(filled({{-0.5f * side, rim - 0.05f},
                            {0.5f * side, rim - 0.07f},
                            {0.78f * side, rim + 0.04f},
                            {0.74f * side, rim + 0.08f},
                            {-0.52f * side, rim + 0.04f}},
                           brim));
  } else {
    const float drop = facing == Facing::front ? 0.09f : 0.05f;
    Outline edge = arc({0, rim - 0.03f}, width + 0.08f, drop + 0.04f, 0, kPi);
    const Outline back = arc({0, rim - 0.03f}, width + 0.04f, 0.03f, kPi, 2 * kPi);
    edge.insert(edge.end(), back.begin(), back.end());
    parts.push_back(filled(std::move(edge), brim));
  }
  // Ridges along the shell, a highlight, a badge.
  Paint ridge = flat(mix(color, {255, 255, 255}, 0.35f));
  ridge.opacity = 0.6f;
  for (const float x : {-0.16f, 0.0f, 0.16f}) {
    if (x != 0 && rng.chance(0.4)) continue;
    const float height = top * std::sqrt(1 - (x * x) / (width * width));
    parts.push_back(stroked({{x + 0.05f * side, rim - 0.95f * height}, {1.25f * x + 0.1f * side, rim - 0.25f * height}},
                            0.05f, ridge));
  }
  Paint glint = flat({255, 255, 255});
  glint.opacity = 0.45f;
  parts.push_back(filled(ellipse({0.25f * std::cos(light), rim - 0.62f * top}, 0.1f, 0.06f, light), glint));
  if (facing == Facing::front && rng.chance(0.3)) {
    parts.push_back(filled(rectangle(-0.08f, rim - 0.26f, 0.08f, rim - 0.12f), flat(mix(color, {30, 30, 60}, 0.7f))));
  }
}

void add_hair_or_hat(std::vector<Part>& parts, Facing facing, Rng& rng) {
  const Rgb hair = rng.pick(kHairs);
  const float side = facing == Facing::left ? -1.0f : facing == Facing::right ? 1.0f : 0.0f;
  const bool back = facing == Facing::back;
  const double kind = rng.uniform();
  if (kind < 0.2) {  // a cap with a visor
    const Rgb color = rng.pick(kClothes);
    parts.push_back(filled(arc({0, -0.16f}, 0.42f, 0.38f, -kPi, 0), shaded(color, 1.2f)));
    if (!back) {
      parts.push_back(filled({{0.1f * side - 0.32f * (1 - std::abs(side)), -0.2f},
                              {0.4f * side + 0.32f * (1 - std::abs(side)), -0.2f},
                              {0.76f * side + 0.36f * (1 - std::abs(side)), -0.1f},
                              {0.3f * side - 0.36f * (1 - std::abs(side)), -0.1f}},
                             flat(mix(color, {0, 0, 0}, 0.4f))));
    }
    return;
  }
  if (kind < 0.3) {  // a woollen hat
    const Rgb color = rng.pick(kClothes);
    parts.push_back(filled(
        smooth_closed({{-0.42f, -0.1f}, {-0.4f, -0.42f}, {0, -0.6f}, {0.4f, -0.42f}, {0.42f, -0.1f}, {0, -0.06f}}),
        shaded(color, 1.2f)));
    parts.push_back(stroked({{-0.38f, -0.13f}, {0.38f, -0.13f}}, 0.12f, flat(mix(color, {255, 255, 255}, 0.2f))));
    return;
  }
  if (kind < 0.38) return;  // bald
  const float low = back ? 0.25f : -0.22f;
  if (back || kind > 0.85) {  // all around, or long
    const float length = kind > 0.85 ? between(rng, 0.35, 0.75) : low;
    Outline outline = arc({0, -0.06f}, 0.42f, 0.5f, -kPi, 0);
    outline.push_back({0.4f, length});
    if (!back) {
      outline.push_back({0.3f, 0.1f});
      outline.push_back({0.26f + 0.06f * side, -0.24f});
      outline.push_back({-0.26f + 0.06f * side, -0.24f});
      outline.push_back({-0.3f, 0.1f});
    }
    outline.push_back({-0.4f, length});
    parts.push_back(filled(std::move(outline), flat(hair)));
    return;
  }
  Outline outline = arc({0, -0.1f}, 0.41f, between(rng, 0.4, 0.48), -kPi, 0);
  outline.push_back({side > 0 ? 0.3f : 0.36f, side > 0 ? -0.26f : -0.05f});
  outline.push_back({0.26f, -0.2f + between(rng, -0.1, 0.05)});
  outline.push_back({-0.26f, -0.2f + between(rng, -0.1, 0.05)});
  outline.push_back({side < 0 ? -0.3f : -0.36f, side < 0 ? -0.26f : -0.05f});
  if (side != 0) {  // the back of a head seen from the side is hair down to the neck
    Outline nape = {{-0.05f * side, -0.4f},
                    {-0.4f * side, -0.2f},
                    {-0.4f * side, 0.2f},
                    {-0.22f * side, 0.32f},
                    {-0.14f * side, 0}};
    parts.push_back(filled(std::move(nape), flat(hair)));
  }
  parts.push_back(filled(std::move(outline), flat(hair)));
}

Thing draw_head(const Figure& figure, Rgb skin, Rng& rng) {
  Thing thing;
  thing.name = figure.helmet ? "helmet" : "head";
  thing.temperature_c = 34;
  const float side = figure.facing == Facing::left ? -1.0f : figure.facing == Facing::right ? 1.0f : 0.0f;
  if (side == 0) {
    for (const float x : {-0.39f, 0.39f})
      thing.parts.push_back(filled(ellipse({x, 0.05f}, 0.06f, 0.11f), flat(mix(skin, {120, 40, 30}, 0.15f))));
  }
  thing.parts.push_back(filled(ellipse({0, 0}, 0.39f, 0.5f), shaded(skin, between(rng, 0, kPi))));
  if (side != 0)
    thing.parts.push_back(filled(ellipse({-0.08f * side, 0.04f}, 0.06f, 0.1f), flat(mix(skin, {120, 40, 30}, 0.25f))));
  if (figure.facing != Facing::back && figure.head_height > 14) add_face(thing.parts, figure.facing, skin, rng);
  if (figure.helmet) {
    const HelmetColor& color = pick_helmet_color(rng);
    thing.color = color.name;
    if (rng.chance(0.5) || figure.facing == Facing::back) {  // hair under the rim
      thing.parts.push_back(
          filled(arc({-0.06f * side, -0.1f}, 0.4f, figure.facing == Facing::back ? 0.38f : 0.12f, 0, kPi),
                 flat(rng.pick(kHairs))));
    }
    const float dirt = between(rng, 0.75, 1.05);
    add_helmet(thing.parts, figure.facing, mix({0, 0, 0}, color.rgb, dirt), rng);
  } else {
    add_hair_or_hat(thing.parts, figure.facing, rng);
  }
  // A bowed or tilted head.
  transform_parts(Transform::placed({}, 1, static_cast<float>(0.12 * rng.normal())), thing.parts);
  return thing;
}

Thing draw_body(Facing facing, Rgb skin, Rng& rng) {
  Thing thing;
  thing.annotated = false;
  thing.temperature_c = 28;
  const bool profile = facing == Facing::left || facing == Facing::right;
  const float side = facing == Facing::left ? -1.0f : 1.0f;
  const Rgb shirt = rng.pick(kClothes), trousers = rng.pick(kClothes);
  const float half = profile ? 0.62f : between(rng, 0.9, 1.1);
  const float hip_y = 3.35f, foot_y = 6.9f, lean = between(rng, -0.25, 0.25);
  // Legs, walking or standing.
  const float stride = profile ? between(rng, 0.1, 1.2) : between(rng, 0.1, 0.45);
  for (const float leg : {-1.0f, 1.0f}) {
    const Vec2 hip{lean + 0.32f * leg * (profile ? 0.4f : 1), hip_y};
    const Vec2 foot{lean + (0.32f + stride) * leg, foot_y};
    const Vec2 knee{0.5f * (hip.x + foot.x) + (profile ? 0.15f * side : 0), 0.5f * (hip.y + foot.y)};
    thing.parts.push_back(stroked({hip, knee, foot}, 0.58f, flat(mix(trousers, {0, 0, 0}, leg < 0 ? 0.15f : 0.0f))));
    thing.parts.push_back(
        filled(ellipse({foot.x + (profile ? 0.2f * side : 0), foot.y + 0.1f}, 0.42f, 0.2f), flat({46, 38, 34})));
  }
  thing.parts.push_back(stroked({{0, 0.3f}, {0.1f * lean, 0.85f}}, 0.42f, flat(mix(skin, {0, 0, 0}, 0.18f))));  // neck
  const Outline torso = smooth_closed({{-0.3f, 0.62f},
                                       {0.3f, 0.62f},
                                       {half, 1.0f},
                                       {0.86f * half + 0.5f * lean, 2.2f},
                                       {0.8f * half + lean, 3.5f},
                                       {-0.8f * half + lean, 3.5f},
                                       {-0.86f * half + 0.5f * lean, 2.2f},
                                       {-half, 1.0f}},
                                      3);
  Paint cloth = shaded(shirt, between(rng, -0.4, 0.4));
  cloth.grain = 6;
  thing.parts.push_back(filled(torso, cloth));
  if (rng.chance(0.4)) {  // a high-visibility vest with reflecting bands
    const Rgb vest = rng.chance(0.6) ? Rgb{190, 230, 40} : Rgb{250, 110, 30};
    Outline outline = torso;
    for (Vec2& p : outline) p.x = 0.5f * lean + 0.88f * (p.x - 0.5f * lean);
    thing.parts.push_back(filled(outline, shaded(vest, 0.3f)));
    for (const float y : {1.9f, 2.7f}) {
      thing.parts.push_back(
          stroked({{-0.72f * half + 0.4f * lean, y}, {0.72f * half + 0.4f * lean, y}}, 0.16f, flat({222, 224, 226})));
    }
    if (!profile) {
      for (const float x : {-0.45f, 0.45f})
        thing.parts.push_back(stroked({{x * half, 0.95f}, {x * half, 1.9f}}, 0.14f, flat({222, 224, 226})));
    }
  }
  for (const float arm : {-1.0f, 1.0f}) {
    const Vec2 shoulder{arm * half * (profile ? 0.1f : 0.92f), 1.15f};
    const float swing = rng.chance(0.3) ? between(rng, -0.5, 1.9) : between(rng, 1.1, 1.9);  // pi/2: hanging down
    const float out = profile ? side : arm;
    const Vec2 elbow{shoulder.x + 1.25f * std::cos(swing) * out, shoulder.y + 1.25f * std::sin(swing)};
    const float bend = swing - between(rng, 0, 1.2);
    const Vec2 hand{elbow.x + 1.15f * std::cos(bend) * (profile ? side : arm * 0.6f), elbow.y + 1.15f * std::sin(bend)};
    thing.parts.push_back(stroked({shoulder, elbow, hand}, 0.42f, flat(mix(shirt, {0, 0, 0}, 0.12f))));
    thing.parts.push_back(filled(ellipse(hand, 0.2f, 0.22f), flat(skin)));
    if (profile && arm < 0) break;  // the far arm is hidden
  }
  return thing;
}

}  // namespace

DrawnFigure draw_figure(const Figure& figure, Rng& rng) {
  const Rgb skin = rng.pick(kSkins);
  DrawnFigure drawn{draw_body(figure.facing, skin, rng), draw_head(figure, skin, rng)};
  const Transform place = Transform::placed(figure.head, figure.head_height);
  for (Thing* thing : {&drawn.body, &drawn.head}) {
    transform_parts(place, thing->parts);
    thing->distance_m = figure.distance_m;
  }
  return drawn;
}

}  // namespace sensorium::data
