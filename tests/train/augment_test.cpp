#include "train/augment.h"

#include <gtest/gtest.h>

#include "media/draw.h"

namespace sensorium::train {
namespace {

media::Image picture_with_square(int width, int height, const models::Box& box) {
  media::Image image(width, height, 3, 40);
  media::fill_rect(image, box.x0, box.y0, box.x1, box.y1, {250, 30, 30});
  return image;
}

// The tight box of the red pixels.
models::Box red_box(const media::Image& image) {
  models::Box box{1e9f, 1e9f, -1, -1};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const uint8_t* p = image.at(x, y);
      if (p[0] < p[1] + 80) continue;
      box.x0 = std::min(box.x0, static_cast<float>(x));
      box.y0 = std::min(box.y0, static_cast<float>(y));
      box.x1 = std::max(box.x1, static_cast<float>(x + 1));
      box.y1 = std::max(box.y1, static_cast<float>(y + 1));
    }
  }
  return box;
}

TEST(Augment, NoneOnlyResizes) {
  const models::Box box{20, 10, 60, 50};
  const media::Image image = picture_with_square(160, 120, box);
  Rng rng(1);
  const AugmentedImage same = augment(image, {box}, augment_policy("none"), {}, rng);
  EXPECT_EQ(same.image, image);
  EXPECT_FLOAT_EQ(same.boxes[0].x0, 20);
  EXPECT_FLOAT_EQ(same.boxes[0].y1, 50);
}

TEST(Augment, BoxesFollowThePixels) {
  const models::Box box{90, 60, 150, 100};
  const media::Image image = picture_with_square(240, 160, box);
  for (const char* policy : {"photo_boxes", "cells", "scene"}) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
      Rng rng(seed);
      AugmentPolicy still = augment_policy(policy);
      still.brightness = still.contrast = still.saturation = still.hue = 0;  // so that red stays red
      still.rotate_degrees = 0;                                              // so that the hull is tight
      still.blur = 0;
      const AugmentedImage out = augment(image, {box}, still, {}, rng);
      if (out.boxes[0].area() == 0) continue;
      const models::Box seen = red_box(out.image);
      EXPECT_GT(models::intersection_over_union(seen, out.boxes[0]), 0.85f) << policy << " seed " << seed;
    }
  }
}

TEST(Augment, SameGeneratorSamePicture) {
  const media::Image image = picture_with_square(100, 80, {10, 10, 50, 40});
  Rng a(5), b(5);
  EXPECT_EQ(augment(image, {}, augment_policy("photo"), {}, a).image,
            augment(image, {}, augment_policy("photo"), {}, b).image);
}

TEST(Augment, BoxesThatLeaveThePictureAreEmpty) {
  const media::Image image = picture_with_square(200, 200, {0, 0, 8, 8});
  int gone = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const AugmentedImage out = augment(image, {{0, 0, 8, 8}}, augment_policy("photo_boxes"), {}, rng);
    ASSERT_EQ(out.boxes.size(), 1u);
    gone += out.boxes[0].area() == 0 ? 1 : 0;
  }
  EXPECT_GT(gone, 5);
}

TEST(Augment, SuggestsTheNearestPolicy) {
  try {
    augment_policy("photos");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("did you mean \"photo\""), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace sensorium::train
