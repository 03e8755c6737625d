// Paint as colour per pixel, one row at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/world/scene.h"

namespace sensorium::data {

class Shader {
 public:
  // `low` and `high` bound the painted shape, in pixels: gradients run over them.
  Shader(const Paint& paint, Vec2 low, Vec2 high);

  // Blends the paint into RGB pixels (x0 + i, y), i < coverage.size(), each as far as it is covered (0..255).
  void blend_row(int y, int x0, std::span<const uint8_t> coverage, uint8_t* pixels) const;

 private:
  // The share of `second` in the mix at each pixel, 0..1.
  void mix_row(int y, int x0, size_t count) const;

  Paint paint_;
  Vec2 low_, high_;
  mutable std::vector<float> mix_;  // scratch for one row
};

}  // namespace sensorium::data
