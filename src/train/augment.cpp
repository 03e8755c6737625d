#include "train/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/json.h"
#include "media/color.h"
#include "media/geometry.h"
#include "media/resize.h"

namespace sensorium::train {
namespace {

// clang-format off
constexpr std::array<AugmentPolicy, 8> kPolicies = {{
    {.name = "photo", .scale_low = 0.85, .scale_high = 1.5, .aspect = 0.15, .rotate_degrees = 10, .shift = 0.12, .mirror = 0.5,
     .quarter_turns = 0, .brightness = 0.35, .contrast = 0.35, .saturation = 0.35, .hue = 0.03, .erase = 0.25, .blur = 0.05,
     .size_low = 0.75, .size_high = 1.0},
    {.name = "photo_strong", .scale_low = 0.7, .scale_high = 2.2, .aspect = 0.25, .rotate_degrees = 15, .shift = 0.2, .mirror = 0.5,
     .quarter_turns = 0, .brightness = 0.5, .contrast = 0.5, .saturation = 0.6, .hue = 0.05, .erase = 0.5, .blur = 0.1,
     .size_low = 0.6, .size_high = 1.0},
    {.name = "photo_boxes", .scale_low = 0.7, .scale_high = 1.5, .aspect = 0.12, .rotate_degrees = 4, .shift = 0.2, .mirror = 0.5,
     .quarter_turns = 0, .brightness = 0.3, .contrast = 0.3, .saturation = 0.3, .hue = 0.03, .erase = 0, .blur = 0.05,
     .size_low = 0.8, .size_high = 1.0},
    {.name = "digit", .scale_low = 0.85, .scale_high = 1.15, .aspect = 0.12, .rotate_degrees = 12, .shift = 0.08, .mirror = 0,
     .quarter_turns = 0, .brightness = 0.1, .contrast = 0.2, .saturation = 0, .hue = 0, .erase = 0.1, .blur = 0.05,
     .size_low = 1.0, .size_high = 1.0},
    {.name = "cells", .scale_low = 0.8, .scale_high = 1.3, .aspect = 0.1, .rotate_degrees = 0, .shift = 0.15, .mirror = 0.5,
     .quarter_turns = 0.75, .brightness = 0.2, .contrast = 0.2, .saturation = 0.25, .hue = 0.02, .erase = 0, .blur = 0.05,
     .size_low = 0.7, .size_high = 1.0},
    {.name = "scene", .scale_low = 1.0, .scale_high = 1.0, .aspect = 0, .rotate_degrees = 0, .shift = 0.02, .mirror = 0,
     .quarter_turns = 0, .brightness = 0.1, .contrast = 0.1, .saturation = 0.1, .hue = 0, .erase = 0, .blur = 0,
     .size_low = 1.0, .size_high = 1.0},
    // Of a film's frames, all in the same way: never mirrored, since directions are told.
    {.name = "film", .scale_low = 0.85, .scale_high = 1.3, .aspect = 0.1, .rotate_degrees = 3, .shift = 0.1, .mirror = 0,
     .quarter_turns = 0, .brightness = 0.3, .contrast = 0.3, .saturation = 0.4, .hue = 0.05, .erase = 0, .blur = 0.1,
     .size_low = 0.85, .size_high = 1.0},
    {.name = "none", .scale_low = 1, .scale_high = 1, .aspect = 0, .rotate_degrees = 0, .shift = 0, .mirror = 0,
     .quarter_turns = 0, .brightness = 0, .contrast = 0, .saturation = 0, .hue = 0, .erase = 0, .blur = 0,
     .size_low = 1.0, .size_high = 1.0},
}};
// clang-format on

// A box must keep this share of its area inside the picture to count as still there.
constexpr float kLeastVisible = 0.34f;

double log_uniform(Rng& rng, double low, double high) { return std::exp(rng.uniform(std::log(low), std::log(high))); }

media::Color mean_color(const media::Image& image) {
  std::array<uint64_t, 3> sum{};
  const size_t pixels = image.pixels.size() / static_cast<size_t>(image.channels);
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      sum[c] += image.pixels[i * static_cast<size_t>(image.channels) + (image.channels == 3 ? c : 0)];
    }
  }
  const auto mean = [&](size_t c) { return static_cast<uint8_t>(sum[c] / pixels); };
  return {mean(0), mean(1), mean(2)};
}

models::Box map_box(const media::Affine& forward, const models::Box& box, int width, int height) {
  const float xs[2] = {box.x0, box.x1}, ys[2] = {box.y0, box.y1};
  models::Box hull{1e9f, 1e9f, -1e9f, -1e9f};
  for (const float x : xs) {
    for (const float y : ys) {
      const auto mx = static_cast<float>(forward[0] * x + forward[1] * y + forward[2]);
      const auto my = static_cast<float>(forward[3] * x + forward[4] * y + forward[5]);
      hull = {std::min(hull.x0, mx), std::min(hull.y0, my), std::max(hull.x1, mx), std::max(hull.y1, my)};
    }
  }
  models::Box inside{
      std::clamp(hull.x0, 0.0f, static_cast<float>(width)), std::clamp(hull.y0, 0.0f, static_cast<float>(height)),
      std::clamp(hull.x1, 0.0f, static_cast<float>(width)), std::clamp(hull.y1, 0.0f, static_cast<float>(height))};
  return inside.area() < kLeastVisible * hull.area() ? models::Box{} : inside;
}

}  // namespace

const AugmentPolicy& augment_policy(const std::string& name) {
  std::vector<std::string> known;
  for (const AugmentPolicy& policy : kPolicies) {
    if (name == policy.name) return policy;
    known.emplace_back(policy.name);
  }
  const std::string near = nearest_match(name, known);
  fail(ErrorKind::usage, "unknown augmentation \"{}\"{}", name,
       near.empty() ? std::string(" (photo, photo_strong, photo_boxes, digit, cells, scene or none)")
                    : fmt::format("; did you mean \"{}\"?", near));
}

AugmentedImage augment(const media::Image& source, const std::vector<models::Box>& boxes, const AugmentPolicy& policy,
                       const modality::ImagePrepareConfig& prepare, Rng& rng) {
  // Every random number is drawn whether or not it is used: one policy's numbers do not shift another's.
  const double scale = log_uniform(rng, policy.scale_low, policy.scale_high);
  const double aspect = log_uniform(rng, 1 - policy.aspect, 1 / (1 - policy.aspect));
  const double angle = rng.uniform(-1, 1) * policy.rotate_degrees;
  const double shift_x = rng.uniform(-1, 1) * policy.shift, shift_y = rng.uniform(-1, 1) * policy.shift;
  const bool mirror = rng.chance(policy.mirror);
  const bool turn = rng.chance(policy.quarter_turns);
  const int quarter = static_cast<int>(rng.below(4));
  const double size = rng.uniform(policy.size_low, policy.size_high);
  const bool blur = rng.chance(policy.blur), erase = rng.chance(policy.erase);

  const bool sideways = turn && quarter % 2 == 1;
  const modality::PreparedSize full = modality::prepared_size(sideways ? source.height : source.width,
                                                              sideways ? source.width : source.height, prepare);
  const int width = std::max(16, static_cast<int>(std::lround(full.width * size)));
  const int height = std::max(16, static_cast<int>(std::lround(full.height * size)));

  // Result (centred, in units of its pixels) -> source: undo shift, turn back, mirror, scale to the source's pixels.
  const double radians = (angle + (turn ? 90.0 * quarter : 0.0)) * std::numbers::pi / 180;
  const double fit_x = static_cast<double>(sideways ? source.height : source.width) / width;
  const double fit_y = static_cast<double>(sideways ? source.width : source.height) / height;
  const double sx = fit_x / scale / std::sqrt(aspect), sy = fit_y / scale * std::sqrt(aspect);
  const double c = std::cos(radians), s = std::sin(radians), flip = mirror ? -1 : 1;
  media::Affine map;
  map[0] = flip * c * sx;
  map[1] = flip * -s * sy;
  map[3] = s * sx;
  map[4] = c * sy;
  const double center_x = width * (0.5 + shift_x), center_y = height * (0.5 + shift_y);
  map[2] = source.width / 2.0 - map[0] * center_x - map[1] * center_y;
  map[5] = source.height / 2.0 - map[3] * center_x - map[4] * center_y;

  AugmentedImage result;
  const bool identity = scale == 1 && aspect == 1 && angle == 0 && shift_x == 0 && shift_y == 0 && !mirror && !turn;
  if (identity) {
    result.image = width == source.width && height == source.height
                       ? source
                       : media::resize(source, width, height, media::ResizeFilter::bilinear);
  } else {
    // Bilinear sampling does not average: strong reductions are resized first, so that they do not flicker.
    const double reduction = std::min(sx, sy);
    if (reduction > 1.5) {
      const int w = std::max(1, static_cast<int>(std::lround(source.width / reduction)));
      const int h = std::max(1, static_cast<int>(std::lround(source.height / reduction)));
      const media::Image smaller = media::resize(source, w, h, media::ResizeFilter::bilinear);
      media::Affine reduced = map;
      for (int i = 0; i < 3; ++i) {
        reduced[static_cast<size_t>(i)] *= static_cast<double>(w) / source.width;
        reduced[static_cast<size_t>(i + 3)] *= static_cast<double>(h) / source.height;
      }
      result.image = media::warp_affine(smaller, width, height, reduced, mean_color(source));
    } else {
      result.image = media::warp_affine(source, width, height, map, mean_color(source));
    }
  }
  const media::Affine forward = media::invert(map);
  for (const models::Box& box : boxes) result.boxes.push_back(map_box(forward, box, width, height));

  result.image = media::jitter_color(media::to_rgb(result.image),
                                     {.brightness = policy.brightness,
                                      .contrast = policy.contrast,
                                      .saturation = policy.saturation,
                                      .hue = policy.hue},
                                     rng);
  if (blur) result.image = media::box_blur(result.image, 1);
  const media::PixelRect rect = media::random_erase_rect(rng, width, height, 0.02, 0.15);
  if (erase) media::erase_rect(result.image, rect.x, rect.y, rect.width, rect.height, mean_color(source));
  return result;
}

}  // namespace sensorium::train
