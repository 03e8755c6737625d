// Pictures in memory: interleaved samples, row-major, no padding between rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace sensorium::media {

template <typename Sample>
struct BasicImage {
  int width = 0, height = 0;
  int channels = 3;            // 1: grey, 3: RGB (sRGB encoded, as files hold it)
  std::vector<Sample> pixels;  // [height, width, channels]

  BasicImage() = default;
  // All samples `value`. Throws Error(shape) unless width and height are positive and channels is 1 or 3.
  BasicImage(int width_, int height_, int channels_ = 3, Sample value = 0)
      : width(width_), height(height_), channels(channels_) {
    require(width > 0 && height > 0 && (channels == 1 || channels == 3), ErrorKind::shape,
            "a picture of {} x {} pixels with {} channels; want positive sides and 1 or 3 channels", width, height,
            channels);
    pixels.assign(static_cast<size_t>(height) * row_samples(), value);
  }

  bool empty() const { return pixels.empty(); }
  size_t row_samples() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
  Sample* row(int y) { return pixels.data() + static_cast<size_t>(y) * row_samples(); }
  const Sample* row(int y) const { return pixels.data() + static_cast<size_t>(y) * row_samples(); }
  Sample* at(int x, int y) { return row(y) + static_cast<size_t>(x) * static_cast<size_t>(channels); }
  const Sample* at(int x, int y) const { return row(y) + static_cast<size_t>(x) * static_cast<size_t>(channels); }

  bool operator==(const BasicImage&) const = default;
};

using Image = BasicImage<uint8_t>;
using Image16 = BasicImage<uint16_t>;  // depth and thermal cameras; one channel

struct Color {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Color&) const = default;
};

}  // namespace sensorium::media
