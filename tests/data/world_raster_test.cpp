// Coverage of polygons and strokes: exact values, clipping, bad coordinates.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "data/world/raster.h"
#include "data/world/scene.h"

namespace sensorium::data {
namespace {

using Contours = std::vector<std::vector<Vec2>>;

// Total coverage in pixels.
double area(const CoverageMask& mask) { return std::accumulate(mask.coverage.begin(), mask.coverage.end(), 0.0) / 255; }
int coverage_at(const CoverageMask& mask, int x, int y) {
  if (x < mask.x0 || y < mask.y0 || x >= mask.x0 + mask.width || y >= mask.y0 + mask.height) return 0;
  return mask.row(y)[x - mask.x0];
}

TEST(WorldRaster, RectanglesWithFractionalEdgesAreExact) {
  Rasterizer rasterizer(10, 8);
  const CoverageMask& mask = rasterizer.polygon(Contours{rectangle(2.25f, 1.5f, 5.5f, 4)});
  EXPECT_EQ(coverage_at(mask, 3, 2), 255);
  EXPECT_EQ(coverage_at(mask, 2, 2), 191);  // 0.75 x 255 = 191.25
  EXPECT_EQ(coverage_at(mask, 5, 2), 128);  // 0.5
  EXPECT_EQ(coverage_at(mask, 3, 1), 128);
  EXPECT_EQ(coverage_at(mask, 2, 1), 96);  // 0.375 x 255 = 95.6
  EXPECT_EQ(coverage_at(mask, 1, 2), 0);
  EXPECT_EQ(coverage_at(mask, 3, 4), 0);
  EXPECT_NEAR(area(mask), 3.25 * 2.5, 0.02);
}

TEST(WorldRaster, AreaDoesNotDependOnDirectionPlaceOrAngle) {
  Rasterizer rasterizer(200, 200);
  for (int i = 0; i < 60; ++i) {
    const float turn = 0.37f * static_cast<float>(i), x = 90 + 0.31f * static_cast<float>(i);
    std::vector<Vec2> outline = regular_polygon({x, 100.3f}, 40, 3 + i % 7, turn);
    const int corners = 3 + i % 7;
    const double expected = 0.5 * corners * 1600 * std::sin(2 * M_PI / corners);
    EXPECT_NEAR(area(rasterizer.polygon(Contours{outline})), expected, 0.4) << i;
    std::reverse(outline.begin(), outline.end());
    EXPECT_NEAR(area(rasterizer.polygon(Contours{outline})), expected, 0.4) << i;
  }
}

TEST(WorldRaster, HolesAreCutByOppositeContours) {
  Rasterizer rasterizer(20, 20);
  std::vector<Vec2> hole = rectangle(6, 6, 10, 10);
  std::reverse(hole.begin(), hole.end());
  const CoverageMask& mask = rasterizer.polygon(Contours{rectangle(2, 2, 18, 18), hole});
  EXPECT_EQ(coverage_at(mask, 8, 8), 0);
  EXPECT_EQ(coverage_at(mask, 4, 4), 255);
  EXPECT_NEAR(area(mask), 16 * 16 - 4 * 4, 1e-6);
}

TEST(WorldRaster, ShapesAcrossEveryEdgeAreClippedNotBent) {
  Rasterizer rasterizer(30, 20);
  // A disc far larger than the picture covers all of it; a diamond around a corner covers a known triangle.
  EXPECT_NEAR(area(rasterizer.polygon(Contours{ellipse({15, 10}, 500, 500)})), 600, 1e-6);
  for (const Vec2 corner : {Vec2{0, 0}, Vec2{30, 0}, Vec2{0, 20}, Vec2{30, 20}}) {
    EXPECT_NEAR(area(rasterizer.polygon(Contours{regular_polygon(corner, 8, 4)})), 0.5 * 8 * 8, 0.05);
  }
  EXPECT_NEAR(area(rasterizer.polygon(Contours{rectangle(-1e7f, 5, 1e7f, 7)})), 60, 1e-6);
}

TEST(WorldRaster, NothingToSeeGivesAnEmptyMask) {
  Rasterizer rasterizer(30, 20);
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const Contours& shape :
       {Contours{}, Contours{{}}, Contours{rectangle(40, 0, 50, 10)}, Contours{rectangle(0, -10, 5, -2)},
        Contours{rectangle(0, 0, nan, 5)}, Contours{rectangle(0, 0, inf, 5)}}) {
    EXPECT_EQ(area(rasterizer.polygon(shape)), 0.0);
    EXPECT_EQ(area(rasterizer.stroke(shape, 2)), 0.0);
  }
  EXPECT_EQ(area(rasterizer.stroke(Contours{{{5, 5}, {9, 9}}}, 0)), 0.0);
  EXPECT_EQ(area(rasterizer.stroke(Contours{{{5, 5}, {9, 9}}}, nan)), 0.0);
}

TEST(WorldRaster, StrokesHaveTheirWidth) {
  Rasterizer rasterizer(60, 40);
  const double line = 30 * 4 + M_PI * 4;  // 30 long, 4 wide, round ends
  EXPECT_NEAR(area(rasterizer.stroke(Contours{{{15, 20}, {45, 20}}}, 4)), line, 0.02 * line);
  EXPECT_NEAR(area(rasterizer.stroke(Contours{{{20, 20}}}, 6)), M_PI * 9, 0.5);  // a dot
  // Two strokes that meet are not darker where they overlap.
  EXPECT_NEAR(area(rasterizer.stroke(Contours{{{15, 20}, {45, 20}}, {{15, 20}, {45, 20}}}, 4)), line, 0.02 * line);
}

}  // namespace
}  // namespace sensorium::data
