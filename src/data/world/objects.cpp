#include "data/world/objects.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/world/icons.h"

namespace sensorium::data {
namespace {

constexpr NamedColor kColors[] = {
    {"red", {214, 38, 38}},     {"green", {44, 160, 62}},   {"blue", {42, 92, 214}}, {"yellow", {244, 216, 40}},
    {"orange", {244, 132, 24}}, {"purple", {132, 54, 172}}, {"black", {24, 24, 26}}, {"white", {244, 244, 242}},
};

constexpr SizeClass kSizes[] = {{"small", 0.05f, 0.065f}, {"medium", 0.095f, 0.12f}, {"large", 0.16f, 0.20f}};

float distance(Rgb a, Rgb b) { return std::hypot(a.r - b.r, a.g - b.g, a.b - b.b); }

Rgb color_of(std::string_view name) {
  for (const NamedColor& color : kColors) {
    if (color.name == name) return color.rgb;
  }
  return {128, 128, 128};
}

Rgb scaled(Rgb color, float factor) {
  return {std::clamp(color.r * factor, 0.0f, 255.0f), std::clamp(color.g * factor, 0.0f, 255.0f),
          std::clamp(color.b * factor, 0.0f, 255.0f)};
}

// How the object's surface looks: mostly plain, sometimes shaded or patterned in tones of its own colour.
Paint finish(Rgb color, float radius, Rng& rng) {
  Paint paint = flat(color);
  const bool dark = color.r + color.g + color.b < 120;
  const Rgb tone = dark ? mix(color, {255, 255, 255}, 0.16f) : scaled(color, 0.78f);
  const double kind = rng.uniform();
  paint.second = tone;
  paint.angle = static_cast<float>(rng.uniform(0, 2 * std::numbers::pi));
  if (kind < 0.20) {
    paint.fill = Fill::linear;
  } else if (kind < 0.32) {
    paint.fill = Fill::radial;
    paint.focus = {-0.35f, -0.35f};
  } else if (kind < 0.42) {
    paint.fill = Fill::stripes;
    paint.period = std::max(4.0f, radius * static_cast<float>(rng.uniform(0.25, 0.5)));
  } else if (kind < 0.48) {
    paint.fill = Fill::checks;
    paint.period = std::max(3.0f, radius * static_cast<float>(rng.uniform(0.2, 0.4)));
  }
  if (rng.chance(0.3)) paint.grain = static_cast<float>(rng.uniform(4, 14));
  paint.seed = static_cast<uint32_t>(rng.next());
  return paint;
}

}  // namespace

std::span<const NamedColor> object_colors() { return kColors; }
std::span<const SizeClass> size_classes() { return kSizes; }

Rgb vary_color(std::string_view name, Rng& rng) {
  const Rgb base = color_of(name);
  const float light = static_cast<float>(rng.uniform(0.86, 1.08));
  const auto channel = [&](float v) {
    return std::clamp(v * light + static_cast<float>(rng.uniform(-10, 10)), 0.0f, 255.0f);
  };
  return {channel(base.r), channel(base.g), channel(base.b)};
}

Thing make_object(std::string_view name, std::string_view color, Vec2 center, float radius, Rng& rng) {
  Thing thing;
  thing.name = name;
  thing.color = color;
  const Rgb rgb = vary_color(color, rng);
  thing.parts = icon_parts(name, finish(rgb, radius, rng), rng);
  transform_parts(Transform::placed(center, radius, icon_tilt(name, rng)), thing.parts);
  thing.temperature_c = static_cast<float>(rng.uniform(15, 35));
  return thing;
}

Paint contrasting_background(const std::vector<std::string_view>& colors, Rng& rng) {
  const auto clear_of_all = [&](Rgb candidate) {
    return std::all_of(colors.begin(), colors.end(),
                       [&](std::string_view name) { return distance(color_of(name), candidate) > 95; });
  };
  const auto draw = [&] {
    // Mostly muted colours: a grey of random lightness, pulled towards a random hue.
    const float grey = static_cast<float>(rng.uniform(20, 245));
    const Rgb hue{float(rng.uniform(0, 255)), float(rng.uniform(0, 255)), float(rng.uniform(0, 255))};
    return mix({grey, grey, grey}, hue, static_cast<float>(rng.uniform(0, 0.6)));
  };
  Paint paint;
  Rgb color{150, 150, 150};
  for (int i = 0; i < 60; ++i) {
    const Rgb candidate = draw();
    if (!clear_of_all(candidate)) continue;
    color = candidate;
    break;
  }
  Rgb second = color;
  for (int i = 0; i < 20; ++i) {
    const float share = static_cast<float>(rng.uniform(0.15, 0.5));
    const Rgb candidate = mix(color, draw(), share);
    if (!clear_of_all(candidate)) continue;
    second = candidate;
    break;
  }
  static constexpr Fill kFills[] = {Fill::flat,   Fill::flat,    Fill::linear, Fill::linear, Fill::clouds,
                                    Fill::clouds, Fill::stripes, Fill::checks, Fill::bricks};
  paint.color = color;
  paint.second = second;
  paint.fill = rng.pick(kFills);
  // Hard patterns are kept faint, so that they do not read as objects.
  if (paint.fill == Fill::stripes || paint.fill == Fill::checks || paint.fill == Fill::bricks) {
    paint.second = mix(color, second, 0.45f);
  }
  paint.angle = static_cast<float>(rng.uniform(0, 2 * std::numbers::pi));
  paint.period = static_cast<float>(rng.uniform(10, 60));
  paint.seed = static_cast<uint32_t>(rng.next());
  if (rng.chance(0.4)) paint.grain = static_cast<float>(rng.uniform(3, 16));
  return paint;
}

Camera plain_camera(Rng& rng) {
  Camera camera;
  camera.seed = rng.next();
  camera.brightness = static_cast<float>(rng.uniform(0.92, 1.06));
  camera.contrast = static_cast<float>(rng.uniform(0.9, 1.05));
  if (rng.chance(0.5)) camera.noise = static_cast<float>(rng.uniform(1, 10));
  if (rng.chance(0.15)) camera.blur_radius = 1;
  if (rng.chance(0.2)) camera.vignette = static_cast<float>(rng.uniform(0.05, 0.25));
  return camera;
}

bool place_disc(std::vector<Disc>& placed, float radius, float gap, int width, int height, Rng& rng) {
  const float margin = radius + 2;
  if (2 * margin >= static_cast<float>(std::min(width, height))) return false;
  for (int i = 0; i < 40; ++i) {
    const Vec2 center{static_cast<float>(rng.uniform(margin, width - margin)),
                      static_cast<float>(rng.uniform(margin, height - margin))};
    const bool free = std::all_of(placed.begin(), placed.end(), [&](const Disc& other) {
      return std::hypot(other.center.x - center.x, other.center.y - center.y) > other.radius + radius + gap;
    });
    if (!free) continue;
    placed.push_back({center, radius});
    return true;
  }
  return false;
}

int count_things(const Scene& scene, std::string_view name, std::string_view color, std::string_view size) {
  return static_cast<int>(std::count_if(scene.things.begin(), scene.things.end(), [&](const Thing& thing) {
    return thing.annotated && (name.empty() || thing.name == name) && (color.empty() || thing.color == color) &&
           (size.empty() || thing.size == size);
  }));
}

std::string look(const Thing& thing) { return thing.color.empty() ? thing.name : thing.color + " " + thing.name; }

void add_boxes(const Scene& scene, WorldSample& sample) {
  for (const Thing& thing : scene.things) {
    if (!thing.annotated) continue;
    sample.boxes.push_back({thing.box, thing.name});
    ++sample.count[thing.name];
  }
}

void add_balanced_statement(WorldSample& sample, Rng& rng, const std::function<Statement(Rng&)>& make) {
  const bool wanted = rng.chance(0.5);
  for (int i = 0; i < 24; ++i) {
    Statement statement = make(rng);
    if (statement.truth != wanted) continue;
    sample.statements.push_back(std::move(statement));
    return;
  }
}

}  // namespace sensorium::data
