// Coverage of shapes: how much of each pixel a polygon or a stroke covers, exactly (polygons) or to 1/255 of a radial
// falloff (strokes). Coordinates are float pixels; (0, 0) is the corner of the first pixel, y grows downwards.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sensorium::data {

struct Vec2 {
  float x = 0, y = 0;
};

// Coverage 0..255 of the pixels x0 <= x < x0 + width, y0 <= y < y0 + height; everything else is uncovered.
struct CoverageMask {
  int x0 = 0, y0 = 0, width = 0, height = 0;
  std::vector<uint8_t> coverage;

  const uint8_t* row(int y) const { return coverage.data() + static_cast<size_t>(y - y0) * static_cast<size_t>(width); }
};

// Rasterises into a mask clipped to a picture; keeps its buffers between calls.
class Rasterizer {
 public:
  Rasterizer(int picture_width, int picture_height) : width_(picture_width), height_(picture_height) {}

  // Closed contours; the winding numbers add, so a contour of opposite direction cuts a hole. Contours must not cross
  // themselves. Non-finite points give an empty mask.
  const CoverageMask& polygon(std::span<const std::vector<Vec2>> contours);
  // Open polylines drawn with a round pen of `pen_width` pixels.
  const CoverageMask& stroke(std::span<const std::vector<Vec2>> lines, float pen_width);

 private:
  // Makes the mask's box the picture's part of low..high; false if that is empty.
  bool clip_to(Vec2 low, Vec2 high);

  int width_, height_;
  CoverageMask mask_;
  std::vector<float> area_;
};

}  // namespace sensorium::data
