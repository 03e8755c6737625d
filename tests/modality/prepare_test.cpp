#include "modality/image/prepare.h"

#include <gtest/gtest.h>

namespace sensorium::modality {
namespace {

TEST(PreparedSize, KeepsPicturesThatFit) {
  const PreparedSize size = prepared_size(320, 240, {});
  EXPECT_EQ(size.width, 320);
  EXPECT_EQ(size.height, 240);
}

TEST(PreparedSize, StaysInTheBudgetForAllAspects) {
  const ImagePrepareConfig config;
  for (const auto& [w, h] : {std::pair{4000, 3000}, {50000, 10}, {3, 3}, {1, 100000}, {28, 28}, {400, 100}}) {
    const PreparedSize size = prepared_size(w, h, config);
    EXPECT_GE(size.width, 16);
    EXPECT_GE(size.height, 16);
    EXPECT_LE(int64_t{size.width} * size.height, config.max_pixels) << w << "x" << h;
    const PreparedSize again = prepared_size(size.width, size.height, config);
    EXPECT_EQ(again.width, size.width) << w << "x" << h;
    EXPECT_EQ(again.height, size.height) << w << "x" << h;
  }
  EXPECT_EQ(prepared_size(28, 28, config).width, 64);
}

TEST(PackImages, NormalisesAndPacksInOrder) {
  media::Image white(2, 1, 3, 255), grey(1, 2, 1, 0);
  const media::Image* images[] = {&white, &grey};
  const PreparedImages packed = pack_images(images, DType::f32);
  ASSERT_EQ(packed.pixels_P3.shape(), (Shape{4, 3}));
  EXPECT_FLOAT_EQ(packed.pixels_P3.data<float>()[0], 2.0f);
  EXPECT_FLOAT_EQ(packed.pixels_P3.data<float>()[11], -2.0f);
  EXPECT_EQ(packed.pictures.offsets(), (std::vector<int64_t>{0, 2, 4}));
}

TEST(PreparedSize, RefusesEmptyPictures) { EXPECT_THROW(prepared_size(0, 10, {}), Error); }

}  // namespace
}  // namespace sensorium::modality
