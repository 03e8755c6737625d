#include "media/draw.h"

#include <algorithm>
#include <cmath>

#include "media/font.h"

namespace sensorium::media {
namespace {

constexpr int kGlyphGap = 1;  // columns between glyphs

bool finite(std::initializer_list<float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

// `coverage` in 0..1 of the pixel is painted.
void blend_pixel(Image& image, int x, int y, Color color, float coverage) {
  if (coverage <= 0.0f) return;
  coverage = std::min(coverage, 1.0f);
  uint8_t* pixel = image.at(x, y);
  const uint8_t values[3] = {color.r, color.g, color.b};
  for (int c = 0; c < image.channels; ++c) {
    const auto old_value = static_cast<float>(pixel[c]);
    pixel[c] = static_cast<uint8_t>(old_value + (static_cast<float>(values[c]) - old_value) * coverage + 0.5f);
  }
}

// The pixels of a row or column of `limit` that [low, high) touches.
struct PixelRange {
  int begin, end;
};
PixelRange pixels_of(float low, float high, int limit) {
  const auto last = static_cast<float>(limit);
  return {static_cast<int>(std::floor(std::clamp(low, 0.0f, last))),
          static_cast<int>(std::ceil(std::clamp(high, 0.0f, last)))};
}

float overlap(float low, float high, int pixel) {
  const auto position = static_cast<float>(pixel);
  return std::clamp(std::min(high, position + 1.0f) - std::max(low, position), 0.0f, 1.0f);
}

double relative_luminance(Color color) {
  const auto linear = [](uint8_t value) {
    const double v = value / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b);
}

}  // namespace

void fill_rect(Image& image, float x0, float y0, float x1, float y1, Color color, float opacity) {
  if (!finite({x0, y0, x1, y1, opacity})) return;
  const PixelRange columns = pixels_of(x0, x1, image.width), rows = pixels_of(y0, y1, image.height);
  for (int y = rows.begin; y < rows.end; ++y) {
    const float row_coverage = overlap(y0, y1, y) * opacity;
    for (int x = columns.begin; x < columns.end; ++x)
      blend_pixel(image, x, y, color, row_coverage * overlap(x0, x1, x));
  }
}

void draw_rect(Image& image, float x0, float y0, float x1, float y1, Color color, float thickness, float opacity) {
  if (!finite({x0, y0, x1, y1, thickness}) || thickness <= 0 || x1 <= x0 || y1 <= y0) return;
  if (thickness * 2 >= std::min(x1 - x0, y1 - y0)) return fill_rect(image, x0, y0, x1, y1, color, opacity);
  fill_rect(image, x0, y0, x1, y0 + thickness, color, opacity);
  fill_rect(image, x0, y1 - thickness, x1, y1, color, opacity);
  fill_rect(image, x0, y0 + thickness, x0 + thickness, y1 - thickness, color, opacity);
  fill_rect(image, x1 - thickness, y0 + thickness, x1, y1 - thickness, color, opacity);
}

void draw_line(Image& image, Point from, Point to, Color color, float thickness) {
  if (!finite({from.x, from.y, to.x, to.y, thickness}) || thickness <= 0) return;
  const float radius = thickness * 0.5f, reach = radius + 1.0f;
  const PixelRange rows = pixels_of(std::min(from.y, to.y) - reach, std::max(from.y, to.y) + reach, image.height);
  const PixelRange columns = pixels_of(std::min(from.x, to.x) - reach, std::max(from.x, to.x) + reach, image.width);
  const float dx = to.x - from.x, dy = to.y - from.y, length_squared = dx * dx + dy * dy;
  for (int y = rows.begin; y < rows.end; ++y) {
    for (int x = columns.begin; x < columns.end; ++x) {
      const float px = static_cast<float>(x) + 0.5f - from.x, py = static_cast<float>(y) + 0.5f - from.y;
      const float along = length_squared > 0 ? std::clamp((px * dx + py * dy) / length_squared, 0.0f, 1.0f) : 0.0f;
      const float distance = std::hypot(px - along * dx, py - along * dy);
      blend_pixel(image, x, y, color, radius + 0.5f - distance);
    }
  }
}

void fill_circle(Image& image, Point center, float radius, Color color, float opacity) {
  if (!finite({center.x, center.y, radius, opacity}) || radius <= 0) return;
  const PixelRange rows = pixels_of(center.y - radius - 1, center.y + radius + 1, image.height);
  const PixelRange columns = pixels_of(center.x - radius - 1, center.x + radius + 1, image.width);
  for (int y = rows.begin; y < rows.end; ++y) {
    for (int x = columns.begin; x < columns.end; ++x) {
      const float distance =
          std::hypot(static_cast<float>(x) + 0.5f - center.x, static_cast<float>(y) + 0.5f - center.y);
      blend_pixel(image, x, y, color, std::min(radius + 0.5f - distance, 1.0f) * opacity);
    }
  }
}

void fill_polygon(Image& image, std::span<const Point> points, Color color, float opacity) {
  if (points.size() < 3 || !std::isfinite(opacity)) return;
  float top = points[0].y, bottom = points[0].y;
  for (const Point& point : points) {
    if (!finite({point.x, point.y})) return;
    top = std::min(top, point.y);
    bottom = std::max(bottom, point.y);
  }
  // Each row of pixels is sampled on eight lines; along a line the coverage is exact.
  constexpr int kLines = 8;
  const PixelRange rows = pixels_of(top, bottom, image.height);
  std::vector<float> coverage(static_cast<size_t>(image.width)), crossings;
  for (int y = rows.begin; y < rows.end; ++y) {
    std::fill(coverage.begin(), coverage.end(), 0.0f);
    for (int line = 0; line < kLines; ++line) {
      const float at = static_cast<float>(y) + (static_cast<float>(line) + 0.5f) / kLines;
      crossings.clear();
      for (size_t i = 0; i < points.size(); ++i) {
        const Point &a = points[i], &b = points[(i + 1) % points.size()];
        if ((a.y <= at) != (b.y <= at)) crossings.push_back(a.x + (at - a.y) / (b.y - a.y) * (b.x - a.x));
      }
      std::sort(crossings.begin(), crossings.end());
      for (size_t i = 0; i + 1 < crossings.size(); i += 2) {
        const PixelRange columns = pixels_of(crossings[i], crossings[i + 1], image.width);
        for (int x = columns.begin; x < columns.end; ++x) {
          coverage[static_cast<size_t>(x)] += overlap(crossings[i], crossings[i + 1], x) / kLines;
        }
      }
    }
    for (int x = 0; x < image.width; ++x) blend_pixel(image, x, y, color, coverage[static_cast<size_t>(x)] * opacity);
  }
}

TextSize text_size(std::string_view text, int scale) {
  int lines = 1, line_width = 0, widest = 0;
  while (!text.empty()) {
    const std::string_view glyph = detail::next_glyph(text);
    if (glyph.empty()) {
      ++lines;
      line_width = 0;
      continue;
    }
    line_width += detail::glyph_width(glyph) + (line_width > 0 ? kGlyphGap : 0);
    widest = std::max(widest, line_width);
  }
  return {widest * scale, lines * kFontLineHeight * scale};
}

void draw_text(Image& image, int x, int y, std::string_view text, Color color, int scale) {
  int left = x;
  while (!text.empty()) {
    const std::string_view glyph = detail::next_glyph(text);
    if (glyph.empty()) {
      left = x;
      y += kFontLineHeight * scale;
      continue;
    }
    const int width = detail::glyph_width(glyph);
    for (size_t i = 0; i < glyph.size(); ++i) {
      if (glyph[i] != '#') continue;
      const int column = static_cast<int>(i) % (width + 1), row = static_cast<int>(i) / (width + 1);
      const auto pixel_x = static_cast<float>(left + column * scale), pixel_y = static_cast<float>(y + row * scale);
      const auto size = static_cast<float>(scale);
      fill_rect(image, pixel_x, pixel_y, pixel_x + size, pixel_y + size, color);
    }
    left += (width + kGlyphGap) * scale;
  }
}

Color readable_text_color(Color background) {
  // The contrast with white is 1.05 / (L + 0.05), with black (L + 0.05) / 0.05 (WCAG 2.1); they meet at L = 0.179.
  return relative_luminance(background) > 0.179 ? Color{0, 0, 0} : Color{255, 255, 255};
}

TextSize label_size(std::string_view text, int scale, int padding) {
  TextSize size = text_size(text, scale);
  // The last line's spacing below the descenders is not part of the label.
  return {size.width + 2 * padding * scale, size.height - scale + 2 * padding * scale};
}

void draw_label(Image& image, int x, int y, std::string_view text, Color background, int scale, int padding) {
  const TextSize size = label_size(text, scale, padding);
  fill_rect(image, static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + size.width),
            static_cast<float>(y + size.height), background);
  draw_text(image, x + padding * scale, y + padding * scale, text, readable_text_color(background), scale);
}

}  // namespace sensorium::media
