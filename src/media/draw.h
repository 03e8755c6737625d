// Drawing on pictures: antialiased shapes in float pixel coordinates ((0, 0) is the corner of the first pixel) and text
// in a built-in bitmap font. Everything is clipped to the picture; non-finite coordinates draw nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/image.h"

namespace sensorium::media {

struct Point {
  float x = 0, y = 0;
};

// A stroke of `thickness` pixels with round ends.
void draw_line(Image& image, Point from, Point to, Color color, float thickness = 1.0f);
// The outline lies inside x0..x1, y0..y1, `thickness` pixels wide; `opacity` in 0..1.
void draw_rect(Image& image, float x0, float y0, float x1, float y1, Color color, float thickness = 1.0f,
               float opacity = 1.0f);
void fill_rect(Image& image, float x0, float y0, float x1, float y1, Color color, float opacity = 1.0f);
void fill_circle(Image& image, Point center, float radius, Color color, float opacity = 1.0f);
// Even-odd rule; the last point joins the first. Fewer than three points draw nothing.
void fill_polygon(Image& image, std::span<const Point> points, Color color, float opacity = 1.0f);

// The font: proportional glyphs on a line of kFontLineHeight pixels (times `scale`), for ASCII 32..126; other
// characters of the UTF-8 text show as an outlined box, a newline starts a new line.
inline constexpr int kFontLineHeight = 10;
struct TextSize {
  int width = 0, height = 0;
};
TextSize text_size(std::string_view text, int scale = 1);
// (x, y) is the top left corner.
void draw_text(Image& image, int x, int y, std::string_view text, Color color, int scale = 1);
// Text on a filled box that is `padding` pixels (times `scale`) larger on each side; black or white text, whichever
// reads better on `background`.
void draw_label(Image& image, int x, int y, std::string_view text, Color background, int scale = 1, int padding = 2);
TextSize label_size(std::string_view text, int scale = 1, int padding = 2);
// Black or white, whichever has the higher contrast (WCAG 2.1 relative luminance).
Color readable_text_color(Color background);

struct LabelledBox {
  std::string label;
  float score = -1.0f;                   // 0..1, shown as a percentage; negative: not shown
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;  // pixels of the picture
};
// A copy of the picture (RGB) with every box and its label, one colour per label, sizes to suit the picture. Labels
// move to avoid covering one another.
Image annotate_boxes(const Image& image, const std::vector<LabelledBox>& boxes);
// The i-th of a series of well-separated colours.
Color palette_color(size_t index);

}  // namespace sensorium::media
