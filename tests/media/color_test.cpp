#include "media/color.h"

#include <cmath>

#include "media_test_util.h"

namespace sensorium::media {
namespace {

TEST(Color, NeutralFactorsChangeNothing) {
  const Image image = make_picture(31, 22);
  EXPECT_EQ(adjust_brightness(image, 1), image);
  EXPECT_EQ(adjust_contrast(image, 1), image);
  EXPECT_EQ(adjust_saturation(image, 1), image);
  EXPECT_EQ(adjust_hue(image, 0), image);
  EXPECT_EQ(adjust_hue(image, -3), image);
  EXPECT_EQ(box_blur(image, 0), image);
  Rng rng(1);
  EXPECT_EQ(jitter_color(image, {}, rng), image);
}

TEST(Color, HueByThirdsPermutesTheChannels) {
  Image image(1, 1);
  image.pixels = {200, 50, 10};
  EXPECT_EQ(adjust_hue(image, 1.0 / 3).pixels, (std::vector<uint8_t>{10, 200, 50}));
  EXPECT_EQ(adjust_hue(image, 2.0 / 3).pixels, (std::vector<uint8_t>{50, 10, 200}));
}

TEST(Color, RefusesBadFactors) {
  const Image image = make_picture(3, 3);
  EXPECT_THROW(adjust_brightness(image, -0.1), Error);
  EXPECT_THROW(adjust_contrast(image, NAN), Error);
  EXPECT_THROW(adjust_hue(image, INFINITY), Error);
  EXPECT_THROW(box_blur(image, -1), Error);
}

TEST(Color, GreyAndBack) {
  const Image grey = make_picture(9, 5, 1);
  EXPECT_EQ(to_grey(to_rgb(grey)), grey);
  EXPECT_EQ(adjust_saturation(grey, 0), grey);
}

TEST(Color, JitterRepeatsWithItsSeed) {
  const Image image = make_picture(31, 22);
  const ColorJitter jitter{0.4, 0.4, 0.4, 0.1};
  Rng a(5), b(5), c(6);
  EXPECT_EQ(jitter_color(image, jitter, a), jitter_color(image, jitter, b));
  EXPECT_NE(jitter_color(image, jitter, c), image);
}

TEST(Color, EraseIsClipped) {
  Image image(6, 5);
  erase_rect(image, -2, 3, 4, 100, {7, 8, 9});
  erase_rect(image, 2147483647, 0, 2147483647, 5, {1, 1, 1});
  erase_rect(image, 1, 1, -5, 2, {1, 1, 1});
  int painted = 0;
  for (uint8_t value : image.pixels) painted += value != 0;
  EXPECT_EQ(painted, 2 * 2 * 3);
  EXPECT_EQ(image.at(1, 4)[2], 9);
}

TEST(Color, RandomEraseRectStaysInside) {
  Rng rng(2);
  for (int i = 0; i < 2000; ++i) {
    const int width = static_cast<int>(rng.integer(1, 50)), height = static_cast<int>(rng.integer(1, 50));
    const PixelRect rect = random_erase_rect(rng, width, height, 0.02, 1.0, 10.0);
    ASSERT_GE(rect.width, 1);
    ASSERT_GE(rect.height, 1);
    ASSERT_GE(rect.x, 0);
    ASSERT_GE(rect.y, 0);
    ASSERT_LE(rect.x + rect.width, width);
    ASSERT_LE(rect.y + rect.height, height);
  }
  EXPECT_THROW(random_erase_rect(rng, 10, 10, 0.5, 0.2), Error);
}

}  // namespace
}  // namespace sensorium::media
