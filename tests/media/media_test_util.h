// What the media tests share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "media/decode.h"
#include "media/image.h"

namespace sensorium::media {

inline std::filesystem::path golden_dir() {
  return std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests" / "golden" / "media";
}
inline std::string read_golden(const std::string& name) { return read_file(golden_dir() / name); }

// Seeded noise over a gradient: every byte value, smooth and rough parts.
inline Image make_picture(int width, int height, int channels = 3, uint64_t seed = 1) {
  Image image(width, height, channels);
  Rng rng(seed);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        const bool rough = (x / 8 + y / 8) % 2 == 0;
        image.at(x, y)[c] =
            static_cast<uint8_t>(rough ? rng.below(256) : static_cast<uint64_t>(x * (c + 2) + y * 3) % 256);
      }
    }
  }
  return image;
}

inline Image image_from_raw(const std::string& bytes, int width, int height, int channels) {
  Image image(width, height, channels);
  require(bytes.size() == image.pixels.size(), ErrorKind::invalid_data, "{} bytes for {} x {} x {}", bytes.size(),
          width, height, channels);
  std::copy(bytes.begin(), bytes.end(), image.pixels.begin());
  return image;
}

inline int largest_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 1000;
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

inline std::string pixel_hash(const Image& image) { return to_hex(sha256(std::span<const uint8_t>(image.pixels))); }

}  // namespace sensorium::media
