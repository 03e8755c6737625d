#include "data/world/raster.h"

#include <algorithm>
#include <cmath>

namespace sensorium::data {
namespace {

struct Bounds {
  Vec2 low{1e9f, 1e9f}, high{-1e9f, -1e9f};
  bool finite = true;
};

Bounds bounds_of(std::span<const std::vector<Vec2>> lines) {
  Bounds bounds;
  for (const std::vector<Vec2>& line : lines) {
    for (const Vec2 p : line) {
      bounds.finite = bounds.finite && std::isfinite(p.x) && std::isfinite(p.y);
      bounds.low = {std::min(bounds.low.x, p.x), std::min(bounds.low.y, p.y)};
      bounds.high = {std::max(bounds.high.x, p.x), std::max(bounds.high.y, p.y)};
    }
  }
  return bounds;
}

// Adds the edge a -> b to the signed-area buffer: the running sum of a row is then, at each pixel, the winding number
// averaged over the pixel's area. (The method of Raph Levien's font-rs, github.com/raphlinus/font-rs, 2015.) Points are
// relative to the buffer's corner and x lies in 0..width - 1 (the buffer has a spare column on the right).
void accumulate_edge(Vec2 a, Vec2 b, int width, int height, std::vector<float>& area) {
  if (a.y == b.y) return;
  const float direction = a.y < b.y ? 1.0f : -1.0f;
  if (direction < 0) std::swap(a, b);
  if (b.y <= 0 || a.y >= static_cast<float>(height)) return;
  const float slope = (b.x - a.x) / (b.y - a.y);
  float x = a.x;
  if (a.y < 0) x -= a.y * slope;
  const float right = static_cast<float>(width - 1);
  const int last = std::min(height, static_cast<int>(std::ceil(b.y)));
  for (int y = std::max(0, static_cast<int>(a.y)); y < last; ++y) {
    float* const row = area.data() + static_cast<size_t>(y) * static_cast<size_t>(width);
    const float dy = std::min(static_cast<float>(y + 1), b.y) - std::max(static_cast<float>(y), a.y);
    const float next_x = x + slope * dy;
    const float d = dy * direction;
    // Rounding may carry x a hair past the ends of the edge.
    const float x0 = std::clamp(std::min(x, next_x), 0.0f, right);
    const float x1 = std::clamp(std::max(x, next_x), 0.0f, right);
    const int i0 = static_cast<int>(x0);
    const int i1 = static_cast<int>(std::ceil(x1));
    if (i1 <= i0 + 1) {
      const float middle = 0.5f * (x0 + x1) - static_cast<float>(i0);
      row[i0] += d - d * middle;
      if (i0 + 1 < width) row[i0 + 1] += d * middle;
    } else {
      const float per_pixel = 1.0f / (x1 - x0);
      const float enter = 1.0f - (x0 - static_cast<float>(i0));
      const float first = 0.5f * per_pixel * enter * enter;
      const float leave = x1 - static_cast<float>(i1 - 1);
      const float exit = 0.5f * per_pixel * leave * leave;
      row[i0] += d * first;
      if (i1 == i0 + 2) {
        row[i0 + 1] += d * (1.0f - first - exit);
      } else {
        const float second = per_pixel * (enter + 0.5f);
        row[i0 + 1] += d * (second - first);
        for (int i = i0 + 2; i < i1 - 1; ++i) row[i] += d * per_pixel;
        const float before_last = second + static_cast<float>(i1 - i0 - 3) * per_pixel;
        row[i1 - 1] += d * (1.0f - before_last - exit);
      }
      if (i1 < width) row[i1] += d * exit;
    }
    x = next_x;
  }
}

uint8_t to_coverage(float value) { return static_cast<uint8_t>(std::min(1.0f, std::abs(value)) * 255.0f + 0.5f); }

}  // namespace

bool Rasterizer::clip_to(Vec2 low, Vec2 high) {
  const auto cell = [](float value, int limit) {
    return static_cast<int>(std::clamp(std::floor(value), -1.0f, static_cast<float>(limit)));
  };
  mask_.x0 = std::max(0, cell(low.x, width_));
  mask_.y0 = std::max(0, cell(low.y, height_));
  mask_.width = std::min(width_, cell(high.x, width_) + 1) - mask_.x0;
  mask_.height = std::min(height_, cell(high.y, height_) + 1) - mask_.y0;
  if (mask_.width <= 0 || mask_.height <= 0) {
    mask_.width = mask_.height = 0;
    mask_.coverage.clear();
    return false;
  }
  mask_.coverage.assign(static_cast<size_t>(mask_.width) * static_cast<size_t>(mask_.height), 0);
  return true;
}

const CoverageMask& Rasterizer::polygon(std::span<const std::vector<Vec2>> contours) {
  const Bounds bounds = bounds_of(contours);
  if (!bounds.finite || !clip_to(bounds.low, bounds.high)) {
    clip_to({0, 0}, {-2, -2});
    return mask_;
  }
  const int columns = mask_.width + 1;
  area_.assign(static_cast<size_t>(columns) * static_cast<size_t>(mask_.height), 0.0f);
  const Vec2 corner{static_cast<float>(mask_.x0), static_cast<float>(mask_.y0)};
  const float right = static_cast<float>(mask_.width);
  // An edge that leaves the box sideways is cut where it leaves; the part outside becomes a vertical edge on the box's
  // side, which keeps the winding numbers inside.
  const auto add = [&](Vec2 a, Vec2 b) {
    float cuts[4] = {0, 1, 1, 1};
    int count = 1;
    for (const float side : {0.0f, right}) {
      if ((a.x < side) != (b.x < side)) cuts[count++] = std::clamp((side - a.x) / (b.x - a.x), 0.0f, 1.0f);
    }
    if (count == 3 && cuts[2] < cuts[1]) std::swap(cuts[1], cuts[2]);
    cuts[count] = 1;
    for (int i = 0; i < count; ++i) {
      const auto point = [&](float t) {
        return Vec2{std::clamp(a.x + t * (b.x - a.x), 0.0f, right), a.y + t * (b.y - a.y)};
      };
      Vec2 from = point(cuts[i]), to = point(cuts[i + 1]);
      // A piece outside is pushed to the side by the clamp of both its ends.
      accumulate_edge(from, to, columns, mask_.height, area_);
    }
  };
  for (const std::vector<Vec2>& contour : contours) {
    for (size_t i = 0; i < contour.size(); ++i) {
      const Vec2 a = contour[i], b = contour[(i + 1) % contour.size()];
      add({a.x - corner.x, a.y - corner.y}, {b.x - corner.x, b.y - corner.y});
    }
  }
  for (int y = 0; y < mask_.height; ++y) {
    const float* const row = area_.data() + static_cast<size_t>(y) * static_cast<size_t>(columns);
    uint8_t* const out = mask_.coverage.data() + static_cast<size_t>(y) * static_cast<size_t>(mask_.width);
    float winding = 0;
    for (int x = 0; x < mask_.width; ++x) {
      winding += row[x];
      out[x] = to_coverage(winding);
    }
  }
  return mask_;
}

const CoverageMask& Rasterizer::stroke(std::span<const std::vector<Vec2>> lines, float pen_width) {
  const Bounds bounds = bounds_of(lines);
  const float radius = 0.5f * pen_width, reach = radius + 0.5f;
  if (!bounds.finite || !std::isfinite(pen_width) || pen_width <= 0 ||
      !clip_to({bounds.low.x - reach, bounds.low.y - reach}, {bounds.high.x + reach, bounds.high.y + reach})) {
    clip_to({0, 0}, {-2, -2});
    return mask_;
  }
  for (const std::vector<Vec2>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (i + 1 == line.size() && line.size() > 1) break;
      const Vec2 a = line[i], b = line[std::min(i + 1, line.size() - 1)];
      const Vec2 along{b.x - a.x, b.y - a.y};
      const float length2 = along.x * along.x + along.y * along.y;
      const int left = std::max(mask_.x0, static_cast<int>(std::floor(std::min(a.x, b.x) - reach)));
      const int right = std::min(mask_.x0 + mask_.width - 1, static_cast<int>(std::floor(std::max(a.x, b.x) + reach)));
      const int top = std::max(mask_.y0, static_cast<int>(std::floor(std::min(a.y, b.y) - reach)));
      const int bottom =
          std::min(mask_.y0 + mask_.height - 1, static_cast<int>(std::floor(std::max(a.y, b.y) + reach)));
      for (int y = top; y <= bottom; ++y) {
        uint8_t* const out =
            mask_.coverage.data() + static_cast<size_t>(y - mask_.y0) * static_cast<size_t>(mask_.width);
        for (int x = left; x <= right; ++x) {
          const float px = static_cast<float>(x) + 0.5f - a.x, py = static_cast<float>(y) + 0.5f - a.y;
          const float t = length2 > 0 ? std::clamp((px * along.x + py * along.y) / length2, 0.0f, 1.0f) : 0.0f;
          const float dx = px - t * along.x, dy = py - t * along.y;
          const float distance2 = dx * dx + dy * dy;
          if (distance2 >= reach * reach) continue;
          // A pen thinner than a pixel covers only its width of it.
          const float cover = std::min({1.0f, reach - std::sqrt(distance2), pen_width});
          uint8_t& value = out[x - mask_.x0];
          value = std::max(value, to_coverage(cover));
        }
      }
    }
  }
  return mask_;
}

}  // namespace sensorium::data
