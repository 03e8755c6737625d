#include "media/geometry.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "base/threads.h"

namespace sensorium::media {
namespace {

// result(x, y) = image(origin + x * step_x + y * step_y), in pixels; steps may be negative. In tiles, so that a
// transposition reads and writes whole cache lines.
template <int kChannels>
void remap_pixels(const Image& image, Image& result, ptrdiff_t origin, ptrdiff_t step_x, ptrdiff_t step_y) {
  constexpr int kTile = 32;
  const uint8_t* source = image.pixels.data();
  for (int top = 0; top < result.height; top += kTile) {
    for (int left = 0; left < result.width; left += kTile) {
      for (int y = top; y < std::min(top + kTile, result.height); ++y) {
        const uint8_t* from = source + (origin + y * step_y + left * step_x) * kChannels;
        uint8_t* to = result.at(left, y);
        for (int x = left; x < std::min(left + kTile, result.width); ++x) {
          for (int c = 0; c < kChannels; ++c) to[c] = from[c];
          from += step_x * kChannels;
          to += kChannels;
        }
      }
    }
  }
}

enum class Transpose { no, yes };

// Transposes about the main diagonal if asked, then mirrors the result.
Image remap(const Image& image, Transpose transpose, bool mirror_x, bool mirror_y) {
  const bool swap = transpose == Transpose::yes;
  Image result(swap ? image.height : image.width, swap ? image.width : image.height, image.channels);
  ptrdiff_t step_x = swap ? image.width : 1, step_y = swap ? 1 : image.width, origin = 0;
  if (mirror_x) {
    origin += step_x * (result.width - 1);
    step_x = -step_x;
  }
  if (mirror_y) {
    origin += step_y * (result.height - 1);
    step_y = -step_y;
  }
  image.channels == 3 ? remap_pixels<3>(image, result, origin, step_x, step_y)
                      : remap_pixels<1>(image, result, origin, step_x, step_y);
  return result;
}

void fill_pixels(uint8_t* to, size_t count, int channels, Color fill) {
  if (channels == 1) {
    std::fill_n(to, count, fill.r);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    to[i * 3] = fill.r;
    to[i * 3 + 1] = fill.g;
    to[i * 3 + 2] = fill.b;
  }
}

}  // namespace

Image crop(const Image& image, int x, int y, int width, int height) {
  require(x >= 0 && y >= 0 && width > 0 && height > 0 && width <= image.width - x && height <= image.height - y,
          ErrorKind::shape, "crop of {} x {} pixels at ({}, {}) is not inside the picture of {} x {}", width, height, x,
          y, image.width, image.height);
  Image result(width, height, image.channels);
  for (int row = 0; row < height; ++row) std::memcpy(result.row(row), image.at(x, y + row), result.row_samples());
  return result;
}

Image pad(const Image& image, int left, int top, int right, int bottom, Color fill) {
  const int64_t width = int64_t{image.width} + left + right, height = int64_t{image.height} + top + bottom;
  constexpr int64_t kMaxSide = std::numeric_limits<int>::max();
  require(left >= 0 && top >= 0 && right >= 0 && bottom >= 0 && width <= kMaxSide && height <= kMaxSide,
          ErrorKind::shape, "padding of {}, {}, {}, {} pixels (left, top, right, bottom)", left, top, right, bottom);
  Image result(static_cast<int>(width), static_cast<int>(height), image.channels);
  fill_pixels(result.pixels.data(), static_cast<size_t>(width * height), image.channels, fill);
  for (int y = 0; y < image.height; ++y) std::memcpy(result.at(left, top + y), image.row(y), image.row_samples());
  return result;
}

Image flip_horizontal(const Image& image) { return remap(image, Transpose::no, true, false); }
Image flip_vertical(const Image& image) { return remap(image, Transpose::no, false, true); }

Image rotate_quarter(const Image& image, int quarter_turns) {
  switch (((quarter_turns % 4) + 4) % 4) {
    case 1:
      return remap(image, Transpose::yes, true, false);
    case 2:
      return remap(image, Transpose::no, true, true);
    case 3:
      return remap(image, Transpose::yes, false, true);
    default:
      return image;
  }
}

Image apply_orientation(const Image& image, int orientation) {
  switch (orientation) {
    case 2:
      return remap(image, Transpose::no, true, false);
    case 3:
      return remap(image, Transpose::no, true, true);
    case 4:
      return remap(image, Transpose::no, false, true);
    case 5:
      return remap(image, Transpose::yes, false, false);
    case 6:
      return remap(image, Transpose::yes, true, false);
    case 7:
      return remap(image, Transpose::yes, true, true);
    case 8:
      return remap(image, Transpose::yes, false, true);
    default:
      return image;
  }
}

Affine affine_about_center(int width, int height, double degrees, double scale, double shift_x, double shift_y) {
  require(scale > 0 && std::isfinite(scale), ErrorKind::usage, "affine_about_center: scale {}; want more than 0",
          scale);
  const double radians = degrees * std::numbers::pi / 180.0;
  const double cosine = std::cos(radians) / scale, sine = std::sin(radians) / scale;
  const double center_x = width * 0.5, center_y = height * 0.5;
  // Undo the shift, then turn and scale back about the centre.
  const double from_x = center_x + shift_x, from_y = center_y + shift_y;
  return {cosine, sine,   center_x - cosine * from_x - sine * from_y,
          -sine,  cosine, center_y + sine * from_x - cosine * from_y};
}

Affine invert(const Affine& map) {
  const double determinant = map[0] * map[4] - map[1] * map[3];
  require(std::isfinite(determinant) && determinant != 0, ErrorKind::numeric,
          "an affine map of determinant {} has no inverse", determinant);
  const double a = map[4] / determinant, b = -map[1] / determinant;
  const double d = -map[3] / determinant, e = map[0] / determinant;
  return {a, b, -(a * map[2] + b * map[5]), d, e, -(d * map[2] + e * map[5])};
}

Image warp_affine(const Image& image, int width, int height, const Affine& map, Color fill) {
  require(!image.empty(), ErrorKind::shape, "warp_affine: the picture is empty");
  for (double entry : map) require(std::isfinite(entry), ErrorKind::numeric, "warp_affine: the map holds {}", entry);
  Image result(width, height, image.channels);
  const int channels = image.channels;
  const uint8_t fill_values[3] = {fill.r, fill.g, fill.b};
  constexpr int64_t kPixelsPerTask = 1 << 15;
  parallel_for(height, std::max<int64_t>(1, kPixelsPerTask / width), [&](int64_t begin, int64_t end, int) {
    for (int64_t y = begin; y < end; ++y) {
      uint8_t* out = result.row(static_cast<int>(y));
      for (int x = 0; x < width; ++x, out += channels) {
        const double center_x = x + 0.5, center_y = static_cast<double>(y) + 0.5;
        const double source_x = map[0] * center_x + map[1] * center_y + map[2];
        const double source_y = map[3] * center_x + map[4] * center_y + map[5];
        if (!(source_x >= 0 && source_x < image.width && source_y >= 0 && source_y < image.height)) {
          for (int c = 0; c < channels; ++c) out[c] = fill_values[c];
          continue;
        }
        // Between the centres of four pixels; at the border the outermost ones repeat.
        const double left = std::floor(source_x - 0.5), top = std::floor(source_y - 0.5);
        const auto weight_x = static_cast<float>(source_x - 0.5 - left);
        const auto weight_y = static_cast<float>(source_y - 0.5 - top);
        const int x0 = std::max(static_cast<int>(left), 0), x1 = std::min(static_cast<int>(left) + 1, image.width - 1);
        const int y0 = std::max(static_cast<int>(top), 0), y1 = std::min(static_cast<int>(top) + 1, image.height - 1);
        const uint8_t *top_left = image.at(x0, y0), *top_right = image.at(x1, y0);
        const uint8_t *bottom_left = image.at(x0, y1), *bottom_right = image.at(x1, y1);
        for (int c = 0; c < channels; ++c) {
          const float upper =
              static_cast<float>(top_left[c]) + weight_x * static_cast<float>(top_right[c] - top_left[c]);
          const float lower =
              static_cast<float>(bottom_left[c]) + weight_x * static_cast<float>(bottom_right[c] - bottom_left[c]);
          out[c] = static_cast<uint8_t>(upper + weight_y * (lower - upper) + 0.5f);
        }
      }
    }
  });
  return result;
}

}  // namespace sensorium::media
