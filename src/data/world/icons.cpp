#include "data/world/icons.h"

#include <cmath>
#include <numbers>

#include "data/world/objects.h"

namespace sensorium::data {
namespace {

using Outline = std::vector<Vec2>;
constexpr float kPi = std::numbers::pi_v<float>;

Rgb shade(const Paint& paint, float amount) { return mix(paint.color, {0, 0, 0}, amount); }
// Features must show on the object's own colour: light on dark, dark on light.
Rgb detail(const Paint& paint) {
  const float light = 0.3f * paint.color.r + 0.59f * paint.color.g + 0.11f * paint.color.b;
  return light < 60 ? Rgb{190, 190, 190} : mix(paint.color, {0, 0, 0}, 0.6f);
}

Outline star() {
  Outline points;
  for (int i = 0; i < 10; ++i) {
    const float radius = i % 2 == 0 ? 1.0f : 0.42f, at = kPi * static_cast<float>(i) / 5;
    points.push_back({radius * std::sin(at), -radius * std::cos(at)});
  }
  return points;
}

Outline cross() {
  const float a = 0.33f, b = 0.95f;
  return {{-a, -b}, {a, -b}, {a, -a}, {b, -a}, {b, a}, {a, a}, {a, b}, {-a, b}, {-a, a}, {-b, a}, {-b, -a}, {-a, -a}};
}

Outline heart() {
  // The classic curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled to the unit box.
  Outline points;
  for (int i = 0; i < 40; ++i) {
    const float t = 2 * kPi * static_cast<float>(i) / 40, s = std::sin(t);
    points.push_back(
        {s * s * s, -(13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t)) / 16});
  }
  return points;
}

using Parts = std::vector<Part>;

Parts one(Outline outline, const Paint& paint) { return {filled(std::move(outline), paint)}; }

Parts circle_parts(const Paint& paint, Rng&) { return one(ellipse({}, 0.92f, 0.92f), paint); }
Parts square_parts(const Paint& paint, Rng&) { return one(rectangle(-0.8f, -0.8f, 0.8f, 0.8f), paint); }
Parts triangle_parts(const Paint& paint, Rng&) { return one(regular_polygon({0, 0.15f}, 1.0f, 3), paint); }
Parts rectangle_parts(const Paint& paint, Rng& rng) {
  const float height = static_cast<float>(rng.uniform(0.38, 0.52));
  return one(rectangle(-0.95f, -height, 0.95f, height), paint);
}
Parts star_parts(const Paint& paint, Rng&) { return one(star(), paint); }
Parts hexagon_parts(const Paint& paint, Rng&) { return one(regular_polygon({}, 0.98f, 6), paint); }
Parts cross_parts(const Paint& paint, Rng&) { return one(cross(), paint); }
Parts heart_parts(const Paint& paint, Rng&) { return one(heart(), paint); }

Parts house_parts(const Paint& paint, Rng& rng) {
  const Rgb wall = mix(paint.color, {255, 255, 255}, 0.12f);
  Paint walls = paint;
  walls.color = wall;
  Parts parts = one(rectangle(-0.68f, -0.12f, 0.68f, 0.9f), walls);
  parts.push_back(filled({{-0.95f, -0.1f}, {0, -0.95f}, {0.95f, -0.1f}}, flat(shade(paint, 0.35f))));
  parts.push_back(filled(rectangle(-0.14f, 0.35f, 0.2f, 0.9f), flat(detail(paint))));
  parts.push_back(filled(rectangle(-0.52f, 0.1f, -0.25f, 0.38f), flat({210, 228, 240})));
  if (rng.chance(0.6)) parts.push_back(filled(rectangle(0.32f, 0.1f, 0.56f, 0.38f), flat({210, 228, 240})));
  return parts;
}

Parts tree_parts(const Paint& paint, Rng& rng) {
  Parts parts = one(rectangle(-0.12f, 0.3f, 0.12f, 0.95f), flat({110, 74, 42}));
  if (rng.chance(0.5)) {
    parts.push_back(filled({{-0.7f, 0.45f}, {0, -0.35f}, {0.7f, 0.45f}}, paint));
    parts.push_back(filled({{-0.55f, 0.0f}, {0, -0.95f}, {0.55f, 0.0f}}, paint));
  } else {
    Outline crown;
    for (int i = 0; i < 9; ++i) {
      const float at = 2 * kPi * static_cast<float>(i) / 9, radius = static_cast<float>(rng.uniform(0.52, 0.7));
      crown.push_back({radius * std::cos(at), -0.3f + radius * std::sin(at)});
    }
    parts.push_back(filled(smooth_closed(crown), paint));
  }
  return parts;
}

Parts fish_parts(const Paint& paint, Rng& rng) {
  Parts parts = one({{0.45f, 0}, {0.98f, -0.45f}, {0.85f, 0}, {0.98f, 0.45f}}, flat(shade(paint, 0.2f)));
  parts.push_back(filled(ellipse({-0.15f, 0}, 0.8f, 0.48f), paint));
  parts.push_back(filled({{-0.25f, -0.4f}, {0.1f, -0.75f}, {0.25f, -0.38f}}, flat(shade(paint, 0.2f))));
  parts.push_back(filled(ellipse({-0.6f, -0.12f}, 0.12f, 0.12f), flat({250, 250, 250})));
  parts.push_back(filled(ellipse({-0.62f, -0.12f}, 0.06f, 0.06f), flat({20, 20, 20})));
  if (rng.chance(0.5)) transform_parts({-1, 0, 0, 1, 0, 0}, parts);
  return parts;
}

Parts flower_parts(const Paint& paint, Rng& rng) {
  const int petals = static_cast<int>(rng.integer(5, 7));
  Parts parts;
  for (int i = 0; i < petals; ++i) {
    const float at = 2 * kPi * static_cast<float>(i) / static_cast<float>(petals);
    parts.push_back(filled(ellipse({0.56f * std::sin(at), -0.56f * std::cos(at)}, 0.26f, 0.4f, at), paint));
  }
  const bool yellow = paint.color.r > 200 && paint.color.g > 170 && paint.color.b < 120;
  parts.push_back(filled(ellipse({}, 0.3f, 0.3f), flat(yellow ? Rgb{120, 76, 30} : Rgb{250, 214, 70})));
  return parts;
}

Parts car_parts(const Paint& paint, Rng& rng) {
  Parts parts = one({{-0.5f, -0.1f}, {-0.3f, -0.5f}, {0.3f, -0.5f}, {0.58f, -0.1f}}, flat(shade(paint, 0.15f)));
  parts.push_back(
      filled({{-0.38f, -0.12f}, {-0.24f, -0.41f}, {0.02f, -0.41f}, {0.02f, -0.12f}}, flat({200, 224, 238})));
  parts.push_back(filled({{0.1f, -0.12f}, {0.1f, -0.41f}, {0.26f, -0.41f}, {0.45f, -0.12f}}, flat({200, 224, 238})));
  parts.push_back(filled(rounded_rectangle(-0.98f, -0.15f, 0.98f, 0.32f, 0.16f), paint));
  for (const float x : {-0.55f, 0.55f}) {
    parts.push_back(filled(ellipse({x, 0.32f}, 0.23f, 0.23f), flat({34, 34, 36})));
    parts.push_back(filled(ellipse({x, 0.32f}, 0.1f, 0.1f), flat({186, 186, 190})));
  }
  if (rng.chance(0.5)) transform_parts({-1, 0, 0, 1, 0, 0}, parts);
  return parts;
}

Parts boat_parts(const Paint& paint, Rng& rng) {
  Parts parts = one({{-0.9f, 0.35f}, {0.9f, 0.35f}, {0.55f, 0.8f}, {-0.55f, 0.8f}}, paint);
  parts.push_back(filled(rectangle(-0.05f, -0.9f, 0.03f, 0.36f), flat({96, 66, 40})));
  parts.push_back(
      filled({{0.06f, -0.85f}, {0.75f, 0.2f}, {0.06f, 0.2f}}, flat(mix(paint.color, {235, 235, 235}, 0.6f))));
  if (rng.chance(0.5)) {
    parts.push_back(filled({{-0.08f, -0.6f}, {-0.08f, 0.2f}, {-0.55f, 0.2f}}, flat(shade(paint, 0.25f))));
  }
  return parts;
}

Parts umbrella_parts(const Paint& paint, Rng&) {
  Outline dome = {{-0.95f, 0.1f}};
  for (int i = 0; i <= 16; ++i) {
    const float at = kPi * static_cast<float>(i) / 16;
    dome.push_back({-0.95f * std::cos(at), 0.1f - 0.85f * std::sin(at)});
  }
  for (int i = 4; i > 0; --i) {
    const float x = -0.95f + 0.475f * static_cast<float>(i);
    dome.push_back({x - 0.1f, -0.02f});
    dome.push_back({x - 0.2375f, -0.06f});
    dome.push_back({x - 0.375f, -0.02f});
    dome.push_back({x - 0.475f, 0.1f});
  }
  Parts parts = {
      stroked({{0, -0.2f}, {0, 0.75f}, {0.08f, 0.88f}, {0.2f, 0.88f}, {0.26f, 0.76f}}, 0.1f, flat(detail(paint)))};
  parts.push_back(filled(std::move(dome), paint));
  return parts;
}

Parts cup_parts(const Paint& paint, Rng&) {
  Parts parts = {stroked(smooth_open({{0.5f, -0.35f}, {0.9f, -0.25f}, {0.85f, 0.2f}, {0.45f, 0.35f}}), 0.15f, paint)};
  parts.push_back(filled({{-0.75f, -0.6f}, {0.55f, -0.6f}, {0.4f, 0.75f}, {-0.6f, 0.75f}}, paint));
  parts.push_back(filled(ellipse({-0.1f, -0.6f}, 0.65f, 0.15f), flat(shade(paint, 0.45f))));
  return parts;
}

Parts key_parts(const Paint& paint, Rng&) {
  Part bow = filled(ellipse({-0.55f, 0}, 0.42f, 0.42f), paint);
  Outline hole = ellipse({-0.55f, 0}, 0.2f, 0.2f);
  bow.lines.emplace_back(hole.rbegin(), hole.rend());
  return {bow, filled({{-0.16f, -0.1f},
                       {0.95f, -0.1f},
                       {0.95f, 0.36f},
                       {0.78f, 0.36f},
                       {0.78f, 0.1f},
                       {0.62f, 0.1f},
                       {0.62f, 0.28f},
                       {0.46f, 0.28f},
                       {0.46f, 0.1f},
                       {-0.16f, 0.1f}},
                      paint)};
}

enum class Turn { free, little, none };

struct Icon {
  std::string_view name;
  Parts (*draw)(const Paint&, Rng&);
  Turn turn;
};

// The geometric shapes come first; kShapeCount says how many they are.
constexpr Icon kIcons[] = {
    {"circle", circle_parts, Turn::free},
    {"square", square_parts, Turn::little},
    {"triangle", triangle_parts, Turn::free},
    {"rectangle", rectangle_parts, Turn::free},
    {"star", star_parts, Turn::free},
    {"hexagon", hexagon_parts, Turn::free},
    {"cross", cross_parts, Turn::little},
    {"heart", heart_parts, Turn::little},
    {"house", house_parts, Turn::none},
    {"tree", tree_parts, Turn::none},
    {"fish", fish_parts, Turn::little},
    {"flower", flower_parts, Turn::free},
    {"car", car_parts, Turn::none},
    {"boat", boat_parts, Turn::none},
    {"umbrella", umbrella_parts, Turn::little},
    {"cup", cup_parts, Turn::none},
    {"key", key_parts, Turn::free},
};
constexpr size_t kShapeCount = 8;

constexpr auto kNames = [] {
  std::array<std::string_view, std::size(kIcons)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = kIcons[i].name;
  return names;
}();

const Icon& find_icon(std::string_view name) {
  for (const Icon& icon : kIcons) {
    if (icon.name == name) return icon;
  }
  return kIcons[0];
}

}  // namespace

std::span<const std::string_view> shape_names() { return std::span(kNames).first(kShapeCount); }
std::span<const std::string_view> icon_names() { return std::span(kNames).subspan(kShapeCount); }

std::vector<Part> icon_parts(std::string_view name, const Paint& paint, Rng& rng) {
  return find_icon(name).draw(paint, rng);
}

float icon_tilt(std::string_view name, Rng& rng) {
  switch (find_icon(name).turn) {
    case Turn::free:
      return static_cast<float>(rng.chance(0.5) ? 0 : rng.uniform(0, 2 * std::numbers::pi));
    case Turn::little:
      return static_cast<float>(rng.uniform(-0.2, 0.2));
    case Turn::none:
      break;
  }
  return 0;
}

}  // namespace sensorium::data
