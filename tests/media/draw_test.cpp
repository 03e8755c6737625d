#include "media/draw.h"

#include <cmath>
#include <set>

#include "media_test_util.h"

namespace sensorium::media {
namespace {

// Sum of painted coverage on a black canvas, in pixels.
double painted_area(const Image& image) {
  double sum = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) sum += image.pixels[i] / 255.0;
  return sum;
}

TEST(Draw, AreasAreRight) {
  const Color white{255, 255, 255};
  Image image(100, 100);
  fill_rect(image, 10.25f, 20.5f, 30.75f, 40.0f, white);
  EXPECT_NEAR(painted_area(image), 20.5 * 19.5, 1.0);
  image = Image(100, 100);
  fill_circle(image, {50.3f, 49.8f}, 30, white);
  EXPECT_NEAR(painted_area(image), 3.14159 * 900, 15);
  image = Image(100, 100);
  const Point triangle[] = {{10, 10}, {90, 20}, {40, 85}};
  fill_polygon(image, triangle, white);
  EXPECT_NEAR(painted_area(image), 0.5 * std::abs(80.0 * 75 - 30 * 10), 8);
  image = Image(100, 100);
  draw_line(image, {20, 50}, {80, 50}, white, 4);
  EXPECT_NEAR(painted_area(image), 60 * 4 + 3.14159 * 4, 6);
  image = Image(100, 100);
  draw_rect(image, 10, 20, 60, 70, white, 3);
  EXPECT_NEAR(painted_area(image), 50 * 50 - 44 * 44, 1);
}

TEST(Draw, OutsideAndNonFiniteDrawNothing) {
  const Image before = make_picture(20, 20);
  Image image = before;
  const float nan = std::nanf(""), inf = INFINITY;
  const Color red{255, 0, 0};
  fill_rect(image, 30, 30, 1e30f, 40, red);
  fill_rect(image, -1e30f, -50, -10, 1e30f, red);
  fill_rect(image, 0, nan, 10, 10, red);
  draw_rect(image, 0, 0, inf, 10, red, 2);
  draw_line(image, {0, nan}, {5, 5}, red, 2);
  fill_circle(image, {500, 500}, 10, red);
  fill_circle(image, {5, 5}, nan, red);
  const Point bad[] = {{0, 0}, {nan, 5}, {9, 9}};
  fill_polygon(image, bad, red);
  draw_text(image, 100, -100, "outside", red, 3);
  draw_text(image, 2'000'000'000, 2'000'000'000, "far", red, 1);
  EXPECT_EQ(image, before);
  fill_rect(image, -1e30f, -1e30f, 1e30f, 1e30f, red);
  EXPECT_EQ(image.at(19, 19)[0], 255);
}

TEST(Draw, EveryGlyphIsThereAndDistinct) {
  std::set<std::string> seen;
  for (char c = 32; c < 127; ++c) {
    Image image(8, 10);
    draw_text(image, 0, 0, std::string(1, c), {255, 255, 255});
    EXPECT_TRUE(seen.insert(pixel_hash(image)).second) << c;
    const TextSize size = text_size(std::string(1, c));
    EXPECT_GE(size.width, 1) << c;
    EXPECT_LE(size.width, 5) << c;
  }
}

TEST(Draw, TextSizes) {
  EXPECT_EQ(text_size("").width, 0);
  EXPECT_EQ(text_size("AB").width, 11);
  EXPECT_EQ(text_size("AB", 3).width, 33);
  EXPECT_EQ(text_size("A\nBCD").height, 2 * kFontLineHeight);
  EXPECT_EQ(text_size("A\nBCD").width, 17);
  EXPECT_EQ(text_size("\xc3\xa9").width, 5);   // one box for one character
  EXPECT_EQ(text_size("\xff\xfe").width, 11);  // one for each invalid byte
}

TEST(Draw, LabelsAreReadable) {
  EXPECT_EQ(readable_text_color({255, 255, 0}), (Color{0, 0, 0}));
  EXPECT_EQ(readable_text_color({0, 0, 160}), (Color{255, 255, 255}));
}

TEST(Annotate, KeepsTheInsideAndPaintsTheBorder) {
  const Image image(200, 100, 3, 128);
  const Image result = annotate_boxes(image, {{"cat", 0.87f, 40, 30, 150, 90}});
  ASSERT_EQ(result.width, 200);
  EXPECT_EQ(result.at(100, 60)[0], 128);
  const Color color = palette_color(0);
  EXPECT_EQ(result.at(41, 70)[0], color.r);
  EXPECT_EQ(result.at(41, 70)[2], color.b);
}

TEST(Annotate, OneColorPerLabel) {
  const Image result =
      annotate_boxes(Image(300, 300, 1, 50),
                     {{"a", -1, 20, 50, 100, 120}, {"b", -1, 150, 50, 250, 120}, {"a", -1, 20, 200, 100, 280}});
  const auto color_at = [&](int x, int y) { return Color{result.at(x, y)[0], result.at(x, y)[1], result.at(x, y)[2]}; };
  EXPECT_EQ(color_at(99, 100), palette_color(0));
  EXPECT_EQ(color_at(249, 100), palette_color(1));
  EXPECT_EQ(color_at(99, 250), palette_color(0));
}

TEST(Annotate, AnyBoxIsSafe) {
  const float nan = std::nanf("");
  const std::vector<LabelledBox> boxes = {{"a", 2.0f, 5, 5, 20, 20},
                                          {"b", nan, 30, 5, 50, 20},
                                          {"", -1, 1, 1, 2, 2},
                                          {"long label that does not fit", 0.5f, -50, -50, 1e9f, 1e9f},
                                          {"nan", 0.5f, nan, 0, 10, 10},
                                          {"swapped", 0.5f, 60, 50, 10, 10},
                                          {"outside", 0.5f, 500, 500, 600, 600}};
  for (const auto& [width, height] : {std::pair{80, 60}, {1, 1}, {3, 200}}) {
    const Image result = annotate_boxes(Image(width, height, 1, 50), boxes);
    EXPECT_EQ(result.channels, 3);
    EXPECT_EQ(result.width, width);
  }
  EXPECT_TRUE(annotate_boxes(Image(), boxes).empty());
}

TEST(Annotate, PaletteColorsDiffer) {
  std::set<std::tuple<int, int, int>> seen;
  for (size_t i = 0; i < 60; ++i) {
    const Color color = palette_color(i);
    EXPECT_TRUE(seen.insert({color.r, color.g, color.b}).second) << i;
  }
}

}  // namespace
}  // namespace sensorium::media
