// Boxes with labels on a picture: what `--annotate` shows.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "media/color.h"
#include "media/draw.h"

namespace sensorium::media {
namespace {

// Far apart in hue and lightness, so that neighbours in the list differ for people who confuse red and green too.
constexpr std::array<Color, 12> kPalette = {{{255, 75, 60},
                                             {0, 164, 255},
                                             {255, 200, 0},
                                             {16, 185, 110},
                                             {190, 90, 255},
                                             {255, 128, 0},
                                             {0, 214, 214},
                                             {255, 105, 190},
                                             {150, 205, 40},
                                             {70, 90, 235},
                                             {165, 95, 45},
                                             {225, 225, 225}}};

struct Rect {
  float x0, y0, x1, y1;
};

float shared_area(const Rect& a, const Rect& b) {
  const float width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const float height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  return width > 0 && height > 0 ? width * height : 0.0f;
}

std::string label_text(const LabelledBox& box) {
  if (!(box.score >= 0)) return box.label;
  const int percent = static_cast<int>(std::lround(std::min(box.score, 1.0f) * 100.0f));
  return fmt::format("{}{}{}%", box.label, box.label.empty() ? "" : " ", percent);
}

// Ends that are swapped are put in order, and the box is cut to the picture.
Rect clipped(const LabelledBox& box, const Image& image) {
  const auto width = static_cast<float>(image.width), height = static_cast<float>(image.height);
  return {std::clamp(std::min(box.x0, box.x1), 0.0f, width), std::clamp(std::min(box.y0, box.y1), 0.0f, height),
          std::clamp(std::max(box.x0, box.x1), 0.0f, width), std::clamp(std::max(box.y0, box.y1), 0.0f, height)};
}

// Where a label of the given size goes: at the one of the box's corners (above it, inside, below) that covers the least
// of the labels already placed and of the boxes. The last two leave room for another label between.
Rect place_label(const Rect& box, float width, float height, const Image& image, const std::vector<Rect>& placed,
                 const std::vector<Rect>& boxes) {
  const auto most_x = std::max(0.0f, static_cast<float>(image.width) - width);
  const auto most_y = std::max(0.0f, static_cast<float>(image.height) - height);
  const float middle = (box.x0 + box.x1 - width) / 2;
  const std::array<std::pair<float, float>, 10> corners = {{{box.x0, box.y0 - height},
                                                            {box.x0, box.y0},
                                                            {box.x0, box.y1},
                                                            {box.x1 - width, box.y0 - height},
                                                            {middle, box.y0 - height},
                                                            {middle, box.y1},
                                                            {box.x1 - width, box.y1},
                                                            {box.x0, box.y1 - height},
                                                            {box.x0, box.y0 - 2 * height},
                                                            {box.x0, box.y1 + height}}};
  Rect best{};
  float least = 0;
  for (size_t i = 0; i < corners.size(); ++i) {
    const float x = std::floor(std::clamp(corners[i].first, 0.0f, most_x));
    const float y = std::floor(std::clamp(corners[i].second, 0.0f, most_y));
    const Rect rect{x, y, x + width, y + height};
    // Moving a label to fit into the picture is a small fault, covering another one is a large one.
    float cost = 0.02f * width * height * static_cast<float>(i) + std::abs(x - corners[i].first) * height +
                 std::abs(y - corners[i].second) * width;
    for (const Rect& other : placed) cost += 4.0f * shared_area(rect, other);
    for (const Rect& other : boxes) cost += 0.5f * std::min(shared_area(rect, other), width * height);
    if (i == 0 || cost < least) {
      best = rect;
      least = cost;
    }
  }
  return best;
}

}  // namespace

Color palette_color(size_t index) {
  if (index < kPalette.size()) return kPalette[index];
  // Further colours turn the list's by the golden angle, which never lands near a former hue for long.
  constexpr double kGoldenTurn = 0.381966;
  const Color base = kPalette[index % (kPalette.size() - 1)];
  Image pixel(1, 1);
  pixel.pixels = {base.r, base.g, base.b};
  pixel = adjust_hue(pixel, kGoldenTurn * static_cast<double>(index / (kPalette.size() - 1)));
  return {pixel.pixels[0], pixel.pixels[1], pixel.pixels[2]};
}

Image annotate_boxes(const Image& image, const std::vector<LabelledBox>& boxes) {
  Image result = to_rgb(image);
  if (result.empty()) return result;
  const float size = std::sqrt(static_cast<float>(image.width) * static_cast<float>(image.height));
  const float thickness = std::max(2.0f, std::round(size / 220.0f));
  // Letters of 14 pixels on a picture of 640 x 480; small pictures keep the font's own 7.
  const int scale = std::max(1, static_cast<int>(std::lround(size / 370.0f)));

  // Colours go by the label's first appearance, whatever is drawn first.
  std::map<std::string, Color> colors;
  for (const LabelledBox& box : boxes) colors.try_emplace(box.label, palette_color(colors.size()));
  // Large boxes first, so that small ones within them stay whole; all labels on top.
  std::vector<size_t> order;
  for (size_t i = 0; i < boxes.size(); ++i) {
    const LabelledBox& box = boxes[i];
    if (std::isfinite(box.x0) && std::isfinite(box.y0) && std::isfinite(box.x1) && std::isfinite(box.y1)) {
      order.push_back(i);
    }
  }
  const auto area = [&](size_t i) {
    const Rect rect = clipped(boxes[i], image);
    return (rect.x1 - rect.x0) * (rect.y1 - rect.y0);
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return area(a) > area(b); });
  for (size_t i : order) {
    const Rect rect = clipped(boxes[i], image);
    // A faint dark rim outside sets the line off from a background of its own colour.
    const float rim = std::max(1.0f, std::round(thickness / 3.0f));
    draw_rect(result, rect.x0 - rim, rect.y0 - rim, rect.x1 + rim, rect.y1 + rim, {0, 0, 0}, rim, 0.45f);
    draw_rect(result, rect.x0, rect.y0, rect.x1, rect.y1, colors.at(boxes[i].label), thickness);
  }
  std::vector<Rect> placed, outlines;
  for (size_t i : order) outlines.push_back(clipped(boxes[i], image));
  for (size_t i : order) {
    const std::string text = label_text(boxes[i]);
    if (text.empty()) continue;
    const TextSize extent = label_size(text, scale);
    const Rect rect = place_label(clipped(boxes[i], image), static_cast<float>(extent.width),
                                  static_cast<float>(extent.height), image, placed, outlines);
    placed.push_back(rect);
    draw_label(result, static_cast<int>(rect.x0), static_cast<int>(rect.y0), text, colors.at(boxes[i].label), scale);
  }
  return result;
}

}  // namespace sensorium::media
