// Image processors of published checkpoints; whole pictures are compared in tests/models/golden_families_test.cpp.
#include "modality/image/processor.h"

#include <gtest/gtest.h>

namespace sensorium::modality {
namespace {

media::Image grey(int width, int height, uint8_t value) {
  media::Image image(width, height);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

TEST(ImageProcessor, ReadsNumbersAndObjectsAsSizes) {
  const auto read = [](const Json& json) { return ImageProcessorConfig::from_json(json, "test", {}); };
  EXPECT_EQ(read({{"size", 336}}).size.shortest_edge, 336);
  EXPECT_EQ(read({{"size", {{"shortest_edge", 30}}}}).size.shortest_edge, 30);
  const ImageProcessorConfig both = read({{"size", {{"height", 20}, {"width", 10}}}, {"crop_size", nullptr}});
  EXPECT_EQ(both.size.shortest_edge, 0);
  EXPECT_EQ(both.size.height, 20);
  EXPECT_EQ(both.crop_width, 224);
  EXPECT_EQ(read({{"crop_size", 48}}).crop_height, 48);
  EXPECT_EQ(read({{"resample", 2}}).filter, media::ResizeFilter::bilinear);
  EXPECT_THROW(read({{"resample", 5}}), Error);
  EXPECT_THROW(read({{"image_mean", {0.5, 0.5}}}), Error);
  EXPECT_THROW(read({{"image_std", {0.5, 0.0, 0.5}}}), Error);
}

TEST(ImageProcessor, ShortestEdgeThenMiddle) {
  ImageProcessorConfig config;
  config.size = {.shortest_edge = 10};
  config.crop_width = config.crop_height = 10;
  const media::Image fitted = fit_image(grey(37, 50, 90), config);
  EXPECT_EQ(fitted.width, 10);
  EXPECT_EQ(fitted.height, 10);
  config.crops = false;
  EXPECT_EQ(fit_image(grey(37, 50, 90), config).height, 13);  // int(10 * 50 / 37)
}

// A picture smaller than the crop stands in its middle, the wider border above and on the left.
TEST(ImageProcessor, SmallPicturesGetABlackBorder) {
  ImageProcessorConfig config;
  config.resizes = false;
  config.crop_width = 6;
  config.crop_height = 3;
  const media::Image fitted = fit_image(grey(3, 3, 90), config);
  ASSERT_EQ(fitted.width, 6);
  std::vector<int> row;
  for (int x = 0; x < 6; ++x) row.push_back(fitted.at(x, 1)[0]);
  EXPECT_EQ(row, (std::vector<int>{0, 0, 90, 90, 90, 0}));
}

TEST(ImageProcessor, ScalesAndNormalises) {
  ImageProcessorConfig config;
  media::Image image = grey(2, 1, 0);
  image.at(1, 0)[2] = 255;
  const Tensor pixels = to_pixels(image, config);
  EXPECT_EQ(pixels.shape(), Shape({3, 1, 2}));
  EXPECT_FLOAT_EQ(pixels.data<float>()[0], -0.48145466f / 0.26862954f);
  EXPECT_FLOAT_EQ(pixels.data<float>()[5], (1.0f - 0.40821073f) / 0.27577711f);
  config.normalizes = config.rescales = false;
  EXPECT_EQ(to_pixels(image, config).data<float>()[5], 255.0f);
}

}  // namespace
}  // namespace sensorium::modality
