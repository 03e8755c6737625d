#include "media/geometry.h"

#include <cmath>

#include "media_test_util.h"

namespace sensorium::media {
namespace {

// The picture    a b c    as numbers 1..6.
//                d e f
Image small() {
  Image image(3, 2, 1);
  image.pixels = {1, 2, 3, 4, 5, 6};
  return image;
}

std::vector<int> values(const Image& image) { return {image.pixels.begin(), image.pixels.end()}; }

TEST(Geometry, OrientationsByHand) {
  using V = std::vector<int>;
  const V expected[9] = {{},
                         {1, 2, 3, 4, 5, 6},
                         {3, 2, 1, 6, 5, 4},
                         {6, 5, 4, 3, 2, 1},
                         {4, 5, 6, 1, 2, 3},
                         {1, 4, 2, 5, 3, 6},
                         {4, 1, 5, 2, 6, 3},
                         {6, 3, 5, 2, 4, 1},
                         {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image image = apply_orientation(small(), orientation);
    EXPECT_EQ(image.width, orientation >= 5 ? 2 : 3);
    EXPECT_EQ(values(image), expected[orientation]) << orientation;
  }
  EXPECT_EQ(apply_orientation(small(), 0), small());
  EXPECT_EQ(apply_orientation(small(), 9), small());
}

TEST(Geometry, QuarterTurnsAndFlips) {
  const Image image = make_picture(70, 41);
  EXPECT_EQ(values(rotate_quarter(small(), 1)), (std::vector<int>{4, 1, 5, 2, 6, 3}));
  EXPECT_EQ(rotate_quarter(image, 1), rotate_quarter(image, -3));
  EXPECT_EQ(rotate_quarter(rotate_quarter(image, 1), 3), image);
  EXPECT_EQ(rotate_quarter(image, 2), flip_horizontal(flip_vertical(image)));
  EXPECT_EQ(flip_horizontal(flip_horizontal(image)), image);
  EXPECT_EQ(values(flip_horizontal(small())), (std::vector<int>{3, 2, 1, 6, 5, 4}));
}

TEST(Geometry, CropAndPad) {
  const Image image = make_picture(20, 10);
  const Image padded = pad(image, 2, 3, 4, 5, {1, 2, 3});
  EXPECT_EQ(padded.width, 26);
  EXPECT_EQ(padded.height, 18);
  EXPECT_EQ(padded.at(0, 0)[2], 3);
  EXPECT_EQ(padded.at(25, 17)[0], 1);
  EXPECT_EQ(crop(padded, 2, 3, 20, 10), image);
  EXPECT_THROW(crop(image, 1, 0, 20, 10), Error);
  EXPECT_THROW(crop(image, -1, 0, 5, 5), Error);
  EXPECT_THROW(crop(image, 0, 0, 0, 5), Error);
  EXPECT_THROW(crop(image, 2147483647, 0, 1, 1), Error);
  EXPECT_THROW(pad(image, -1, 0, 0, 0, {}), Error);
  EXPECT_THROW(pad(image, 2147483647, 0, 0, 0, {}), Error);
}

TEST(Geometry, WarpByWholePixelsIsExact) {
  const Image image = make_picture(23, 17);
  EXPECT_EQ(warp_affine(image, 23, 17, {1, 0, 0, 0, 1, 0}, {}), image);
  // Shifted by (3, -2): what leaves the picture is lost, what enters is the fill.
  const Image shifted = warp_affine(image, 23, 17, affine_about_center(23, 17, 0, 1, 3, -2), {9, 8, 7});
  EXPECT_EQ(crop(shifted, 3, 0, 20, 15), crop(image, 0, 2, 20, 15));
  EXPECT_EQ(shifted.at(2, 0)[0], 9);
  EXPECT_EQ(shifted.at(22, 16)[2], 7);
  // A quarter turn about the centre of a square.
  const Image square = make_picture(31, 31);
  EXPECT_LE(largest_difference(warp_affine(square, 31, 31, affine_about_center(31, 31, 90, 1, 0, 0), {}),
                               rotate_quarter(square, 1)),
            1);
}

TEST(Geometry, AffineInverse) {
  const Affine map = affine_about_center(40, 30, 33, 1.7, 4, -9);
  const Affine back = invert(map);
  const double x = 12.5, y = 7.25;
  const double u = map[0] * x + map[1] * y + map[2], v = map[3] * x + map[4] * y + map[5];
  EXPECT_NEAR(back[0] * u + back[1] * v + back[2], x, 1e-9);
  EXPECT_NEAR(back[3] * u + back[4] * v + back[5], y, 1e-9);
  EXPECT_THROW(invert({1, 2, 0, 2, 4, 0}), Error);
  EXPECT_THROW(affine_about_center(4, 4, 0, 0, 0, 0), Error);
  EXPECT_THROW(warp_affine(make_picture(3, 3), 3, 3, {NAN, 0, 0, 0, 1, 0}, {}), Error);
}

}  // namespace
}  // namespace sensorium::media
