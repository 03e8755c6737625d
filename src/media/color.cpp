#include "media/color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

namespace sensorium::media {
namespace {

uint8_t luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

// Pillow's Image.blend: from + factor * (to - from) in single precision, cut off (not rounded) to 8 bits.
uint8_t blend(int from, int to, float factor) {
  const float value = static_cast<float>(from) + factor * static_cast<float>(to - from);
  return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

// Blends every sample with one value, through a table.
Image blend_with_constant(const Image& image, int value, float factor) {
  std::array<uint8_t, 256> table;
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = blend(value, i, factor);
  Image result = image;
  for (uint8_t& sample : result.pixels) sample = table[sample];
  return result;
}

float checked_factor(double factor) {
  require(factor >= 0 && factor <= 1000, ErrorKind::usage, "a picture's adjustment by factor {}; want 0..1000", factor);
  return static_cast<float>(factor);
}

// Hue in sixths of the circle, 0..6.
void turn_hue(uint8_t* rgb, float sixths) {
  const int r = rgb[0], g = rgb[1], b = rgb[2];
  const int high = std::max({r, g, b}), low = std::min({r, g, b});
  if (high == low) return;
  const auto range = static_cast<float>(high - low);
  float hue = high == r   ? static_cast<float>(g - b) / range
              : high == g ? static_cast<float>(b - r) / range + 2.0f
                          : static_cast<float>(r - g) / range + 4.0f;
  hue += sixths;
  hue -= 6.0f * std::floor(hue / 6.0f);
  // A channel is at `high` within one sixth of its own hue, at `low` beyond two, and falls linearly between.
  const float own_hues[3] = {0.0f, 2.0f, 4.0f};
  for (int c = 0; c < 3; ++c) {
    float distance = std::abs(hue - own_hues[c]);
    distance = std::min(distance, 6.0f - distance);
    const float share = std::clamp(2.0f - distance, 0.0f, 1.0f);
    rgb[c] = static_cast<uint8_t>(static_cast<float>(low) + share * range + 0.5f);
  }
}

// Mean over 2 radius + 1 samples of `samples` columns that lie `stride` apart, borders repeated, in Pillow's 24-bit
// fixed point.
void blur_line(const uint8_t* source, uint8_t* target, int length, size_t stride, int radius) {
  const uint32_t window = 2u * static_cast<uint32_t>(radius) + 1u;
  const uint32_t weight = static_cast<uint32_t>((1 << 24) / static_cast<float>(window));
  const uint32_t edge_weight = ((1u << 24) - window * weight) / 2;
  const auto sample = [&](int i) -> uint32_t {
    return source[static_cast<size_t>(std::clamp(i, 0, length - 1)) * stride];
  };
  uint32_t sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += sample(i);
  for (int i = 0; i < length; ++i) {
    const uint32_t edges = sample(i - radius - 1) + sample(i + radius + 1);
    target[static_cast<size_t>(i) * stride] =
        static_cast<uint8_t>((sum * weight + edges * edge_weight + (1u << 23)) >> 24);
    sum += sample(i + radius + 1) - sample(i - radius);
  }
}

}  // namespace

Image to_grey(const Image& image) {
  if (image.channels == 1) return image;
  Image result(image.width, image.height, 1);
  for (size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = luma(image.pixels.data() + i * 3);
  return result;
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image result(image.width, image.height, 3);
  for (size_t i = 0; i < image.pixels.size(); ++i) std::memset(result.pixels.data() + i * 3, image.pixels[i], 3);
  return result;
}

Image adjust_brightness(const Image& image, double factor) {
  return blend_with_constant(image, 0, checked_factor(factor));
}

Image adjust_contrast(const Image& image, double factor) {
  const float single = checked_factor(factor);
  if (image.empty()) return image;
  const Image grey = to_grey(image);
  const auto sum = std::accumulate(grey.pixels.begin(), grey.pixels.end(), uint64_t{0});
  const int mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(grey.pixels.size()) + 0.5);
  return blend_with_constant(image, mean, single);
}

Image adjust_saturation(const Image& image, double factor) {
  const float single = checked_factor(factor);
  if (image.channels == 1) return image;
  Image result = image;
  for (size_t i = 0; i < result.pixels.size(); i += 3) {
    uint8_t* rgb = result.pixels.data() + i;
    const int grey = luma(rgb);
    for (int c = 0; c < 3; ++c) rgb[c] = blend(grey, rgb[c], single);
  }
  return result;
}

Image adjust_hue(const Image& image, double turns) {
  require(std::isfinite(turns), ErrorKind::usage, "adjust_hue by {} turns", turns);
  if (image.channels == 1) return image;
  const auto sixths = static_cast<float>((turns - std::floor(turns)) * 6.0);
  Image result = image;
  for (size_t i = 0; i < result.pixels.size(); i += 3) turn_hue(result.pixels.data() + i, sixths);
  return result;
}

Image box_blur(const Image& image, int radius) {
  constexpr int kMaxRadius = 1 << 15;  // keeps 255 * window * weight within 32 bits with room to spare
  require(radius >= 0 && radius <= kMaxRadius, ErrorKind::usage, "box_blur: radius {}; want 0..{}", radius, kMaxRadius);
  if (radius == 0 || image.empty()) return image;
  Image across(image.width, image.height, image.channels), result = across;
  const auto channels = static_cast<size_t>(image.channels);
  for (int y = 0; y < image.height; ++y) {
    for (size_t c = 0; c < channels; ++c) {
      blur_line(image.row(y) + c, across.row(y) + c, image.width, channels, radius);
    }
  }
  for (size_t i = 0; i < image.row_samples(); ++i) {
    blur_line(across.pixels.data() + i, result.pixels.data() + i, image.height, image.row_samples(), radius);
  }
  return result;
}

void erase_rect(Image& image, int x, int y, int width, int height, Color fill) {
  const auto clip = [](int64_t value, int limit) { return static_cast<int>(std::clamp<int64_t>(value, 0, limit)); };
  const int x0 = clip(x, image.width), x1 = clip(int64_t{x} + width, image.width);
  const int y0 = clip(y, image.height), y1 = clip(int64_t{y} + height, image.height);
  const uint8_t values[3] = {fill.r, fill.g, fill.b};
  for (int row = y0; row < y1; ++row) {
    for (int column = x0; column < x1; ++column)
      std::memcpy(image.at(column, row), values, static_cast<size_t>(image.channels));
  }
}

PixelRect random_erase_rect(Rng& rng, int width, int height, double min_area, double max_area, double max_aspect) {
  require(width > 0 && height > 0 && min_area >= 0 && min_area <= max_area && max_area <= 1 && max_aspect >= 1,
          ErrorKind::usage, "random_erase_rect: picture {} x {}, area {}..{}, aspect up to {}", width, height, min_area,
          max_area, max_aspect);
  const double area = rng.uniform(min_area, max_area) * width * height;
  const double aspect = std::exp(rng.uniform(-std::log(max_aspect), std::log(max_aspect)));
  PixelRect rect;
  rect.width = std::clamp(static_cast<int>(std::lround(std::sqrt(area * aspect))), 1, width);
  rect.height = std::clamp(static_cast<int>(std::lround(std::sqrt(area / aspect))), 1, height);
  rect.x = static_cast<int>(rng.integer(0, width - rect.width));
  rect.y = static_cast<int>(rng.integer(0, height - rect.height));
  return rect;
}

Image jitter_color(const Image& image, const ColorJitter& jitter, Rng& rng) {
  const auto factor = [&](double range) { return std::max(0.0, rng.uniform(1.0 - range, 1.0 + range)); };
  // Everything is drawn first, so that the stream does not depend on which ranges are zero.
  const double brightness = factor(jitter.brightness), contrast = factor(jitter.contrast);
  const double saturation = factor(jitter.saturation), hue = rng.uniform(-jitter.hue, jitter.hue);
  std::array<int, 4> order{0, 1, 2, 3};
  rng.shuffle(order);
  Image result = image;
  for (int step : order) {
    if (step == 0 && jitter.brightness > 0) result = adjust_brightness(result, brightness);
    if (step == 1 && jitter.contrast > 0) result = adjust_contrast(result, contrast);
    if (step == 2 && jitter.saturation > 0) result = adjust_saturation(result, saturation);
    if (step == 3 && jitter.hue > 0) result = adjust_hue(result, hue);
  }
  return result;
}

}  // namespace sensorium::media
