#include "media/plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sensorium::media {
namespace {

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void expect_well_formed(const std::string& svg) {
  EXPECT_EQ(svg.rfind("<svg ", 0), 0u);
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_EQ(count_of(svg, "<text"), count_of(svg, "</text>"));
}

TEST(Plot, CurveWithTicksAndLegend) {
  PlotSpec spec{"Loss", "step", "nats", {{"train", {}}, {"validation", {{0, 4}, {100, 2}}}}};
  for (int i = 0; i <= 100; ++i) spec.series[0].points.emplace_back(i, 1 + 3 * std::exp(-i / 20.0));
  const std::string svg = line_plot_svg(spec);
  expect_well_formed(svg);
  for (const char* part :
       {">Loss<", ">step<", ">nats<", ">train<", ">validation<", ">20<", ">2.5<", "prefers-color-scheme"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(count_of(svg, "<polyline"), 2);
}

TEST(Plot, NoPointsOnePointAndGaps) {
  expect_well_formed(line_plot_svg({}));
  expect_well_formed(line_plot_svg({"empty", "", "", {{"none", {}}}}));
  const std::string one = line_plot_svg({"one", "x", "y", {{"s", {{3, 0.5}}}}});
  expect_well_formed(one);
  EXPECT_EQ(count_of(one, "<circle"), 1);
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const std::string gaps =
      line_plot_svg({"gaps", "x", "y", {{"s", {{0, 1}, {1, 2}, {2, nan}, {3, 4}, {4, 5}, {5, inf}, {nan, 1}}}}});
  expect_well_formed(gaps);
  EXPECT_EQ(count_of(gaps, "<polyline"), 2);
}

TEST(Plot, ExtremeNumbers) {
  const double most = std::numeric_limits<double>::max(), least = std::numeric_limits<double>::denorm_min();
  for (AxisScale scale : {AxisScale::linear, AxisScale::log10}) {
    for (const auto& [a, b] : {std::pair{-most, most},
                               {least, 2 * least},
                               {1e16, 1e16 + 2},
                               {0.0, 0.0},
                               {-5.0, -5.0},
                               {1e-300, 1e299},
                               {7.0, 7.0 + 1e-15}}) {
      PlotSpec spec{"x", "x", "y", {{"s", {{a, a}, {b, b}}}}};
      spec.y_scale = scale;
      expect_well_formed(line_plot_svg(spec));
    }
  }
}

TEST(Plot, LogAxisSkipsWhatHasNoLogarithm) {
  PlotSpec spec{"log", "x", "y", {{"s", {{0, 100}, {1, 10}, {2, 0}, {3, -1}, {4, 0.1}, {5, 0.01}}}}};
  spec.y_scale = AxisScale::log10;
  const std::string svg = line_plot_svg(spec);
  expect_well_formed(svg);
  EXPECT_EQ(count_of(svg, "<polyline"), 2);
  EXPECT_NE(svg.find(">0.1<"), std::string::npos);
  EXPECT_NE(svg.find(">100<"), std::string::npos);
}

TEST(Plot, TextIsEscapedAndLongSeriesAreThinned) {
  PlotSpec spec{"a < b & \"c\"", "x", "y", {{"<script>", {}}}};
  for (int i = 0; i < 200'000; ++i) spec.series[0].points.emplace_back(i, std::sin(i * 0.001));
  const std::string plain = line_plot_svg(spec);
  EXPECT_NE(plain.find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_EQ(plain.find("<script>"), std::string::npos);
  EXPECT_LT(plain.size(), 100'000u);
  spec.smoothing_points = 100;
  const std::string smooth = line_plot_svg(spec);
  expect_well_formed(smooth);
  EXPECT_EQ(count_of(smooth, "<polyline"), 2);
}

}  // namespace
}  // namespace sensorium::media
