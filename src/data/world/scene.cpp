#include "data/world/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sensorium::data {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

Vec2 catmull_rom(Vec2 p0, Vec2 p1, Vec2 p2, Vec2 p3, float t) {
  const auto axis = [t](float a, float b, float c, float d) {
    return 0.5f * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t);
  };
  return {axis(p0.x, p1.x, p2.x, p3.x), axis(p0.y, p1.y, p2.y, p3.y)};
}

}  // namespace

std::vector<Vec2> ellipse(Vec2 center, float radius_x, float radius_y, float turn_radians) {
  // The chord's sagitta r (1 - cos(pi / n)) stays under a tenth of a pixel for radii to 75 pixels, whether the ellipse
  // is given in pixels or in units that are scaled later.
  constexpr int corners = 60;
  const float cosine = std::cos(turn_radians), sine = std::sin(turn_radians);
  std::vector<Vec2> points;
  points.reserve(static_cast<size_t>(corners));
  for (int i = 0; i < corners; ++i) {
    const float at = 2 * kPi * static_cast<float>(i) / static_cast<float>(corners);
    const float x = radius_x * std::cos(at), y = radius_y * std::sin(at);
    points.push_back({center.x + cosine * x - sine * y, center.y + sine * x + cosine * y});
  }
  return points;
}

std::vector<Vec2> rectangle(float x0, float y0, float x1, float y1) { return {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}; }

std::vector<Vec2> rounded_rectangle(float x0, float y0, float x1, float y1, float radius) {
  radius = std::min({radius, 0.5f * (x1 - x0), 0.5f * (y1 - y0)});
  const Vec2 centers[4] = {
      {x1 - radius, y0 + radius}, {x1 - radius, y1 - radius}, {x0 + radius, y1 - radius}, {x0 + radius, y0 + radius}};
  std::vector<Vec2> points;
  for (int corner = 0; corner < 4; ++corner) {
    for (int i = 0; i <= 4; ++i) {
      const float at = kPi * 0.5f * (static_cast<float>(corner) - 1 + static_cast<float>(i) / 4);
      points.push_back({centers[corner].x + radius * std::cos(at), centers[corner].y + radius * std::sin(at)});
    }
  }
  return points;
}

std::vector<Vec2> regular_polygon(Vec2 center, float radius, int corners, float turn_radians) {
  std::vector<Vec2> points;
  for (int i = 0; i < corners; ++i) {
    const float at = turn_radians + 2 * kPi * static_cast<float>(i) / static_cast<float>(corners);
    points.push_back({center.x + radius * std::sin(at), center.y - radius * std::cos(at)});
  }
  return points;
}

std::vector<Vec2> smooth_open(const std::vector<Vec2>& points, int steps) {
  if (points.size() < 3) return points;
  std::vector<Vec2> out;
  const size_t last = points.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    for (int s = 0; s < steps; ++s) {
      out.push_back(catmull_rom(points[i == 0 ? 0 : i - 1], points[i], points[i + 1], points[std::min(i + 2, last)],
                                static_cast<float>(s) / static_cast<float>(steps)));
    }
  }
  out.push_back(points.back());
  return out;
}

std::vector<Vec2> smooth_closed(const std::vector<Vec2>& points, int steps) {
  const size_t n = points.size();
  if (n < 3) return points;
  std::vector<Vec2> out;
  for (size_t i = 0; i < n; ++i) {
    for (int s = 0; s < steps; ++s) {
      out.push_back(catmull_rom(points[(i + n - 1) % n], points[i], points[(i + 1) % n], points[(i + 2) % n],
                                static_cast<float>(s) / static_cast<float>(steps)));
    }
  }
  return out;
}

Transform Transform::placed(Vec2 at, float scale, float turn_radians) {
  const float cosine = scale * std::cos(turn_radians), sine = scale * std::sin(turn_radians);
  return {cosine, -sine, sine, cosine, at.x, at.y};
}

void transform_parts(const Transform& transform, std::vector<Part>& parts) {
  const float scale = std::sqrt(std::abs(transform.a * transform.d - transform.b * transform.c));
  for (Part& part : parts) {
    part.pen_width *= scale;
    for (std::vector<Vec2>& line : part.lines) {
      for (Vec2& p : line) p = transform(p);
    }
  }
}

Part filled(std::vector<Vec2> contour, Paint paint) {
  Part part;
  part.lines.push_back(std::move(contour));
  part.paint = paint;
  return part;
}

Part stroked(std::vector<Vec2> line, float pen_width, Paint paint) {
  Part part = filled(std::move(line), paint);
  part.form = Form::stroke;
  part.pen_width = pen_width;
  return part;
}

}  // namespace sensorium::data
