#include "modality/thermal/thermal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/rng.h"
#include "media/decode.h"
#include "media/encode.h"
#include "modality/picture_kinds.h"

namespace sensorium::modality {
namespace {

namespace fs = std::filesystem;

// A warm spot of 10 x 10 pixels on a ground with a gradient; `offset` and `unit` as cameras differ in them.
media::Image16 warm_spot(int offset, int unit) {
  media::Image16 counts(40, 30, 1);
  for (int y = 0; y < 30; ++y) {
    for (int x = 0; x < 40; ++x) {
      const bool warm = x >= 20 && x < 30 && y >= 10 && y < 20;
      *counts.at(x, y) = static_cast<uint16_t>(offset + unit * (warm ? 100 : x / 2));
    }
  }
  return counts;
}

class Thermal : public testing::Test {
 protected:
  Thermal() : folder_(fs::path(testing::TempDir()) / "thermal_test") { fs::create_directories(folder_); }
  ~Thermal() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& bytes) const {
    write_file_atomic(folder_ / name, bytes);
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(Thermal, HeatIsRelative) {
  const media::Image image = relative_heat(warm_spot(7000, 3));
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.at(25, 15)[0], 255);
  EXPECT_EQ(image.at(0, 0)[0], 0);
  // 10 of 0..100 units above the coldest.
  EXPECT_NEAR(image.at(21, 0)[0], 255 * 10 / 100, 1);
  EXPECT_EQ(image.at(25, 15)[1], 255) << "three equal channels";
  EXPECT_EQ(image, relative_heat(warm_spot(20'000, 300))) << "whatever the camera's offset and unit are";
}

TEST_F(Thermal, ADeadPixelDoesNotDarkenTheRest) {
  media::Image16 counts = warm_spot(7000, 3);
  *counts.at(3, 3) = 65'535;
  *counts.at(35, 25) = 0;
  const media::Image image = relative_heat(counts);
  EXPECT_EQ(image.at(25, 15)[0], 255);
  EXPECT_EQ(image.at(3, 3)[0], 255);
  EXPECT_EQ(image.at(35, 25)[0], 0);
}

TEST_F(Thermal, NoDifferenceIsBlack) {
  const media::Image image = relative_heat(media::Image16(8, 8, 1, 30'000));
  for (const uint8_t value : image.pixels) ASSERT_EQ(value, 0);
  EXPECT_THROW(relative_heat(media::Image16(8, 8, 3)), Error);
}

TEST_F(Thermal, SixteenBitsAreBroughtToTheScaleAndEightBitsStayAsTheyAre) {
  EXPECT_EQ(load_thermal(write("counts.png", media::encode_png(warm_spot(7000, 3)))),
            relative_heat(warm_spot(7000, 3)));
  media::Image grey(17, 13, 1);
  Rng rng(1);
  for (uint8_t& value : grey.pixels) value = static_cast<uint8_t>(90 + rng.below(40));
  const fs::path path = write("grey.png", media::encode_png(grey));
  EXPECT_EQ(load_thermal(path), media::load_image(path)) << "what the eyes were trained on";
}

TEST_F(Thermal, ColoursBecomeBrightnessAndItIsSaid) {
  media::Image colours(4, 4, 3);
  for (int x = 0; x < 4; ++x) colours.at(x, 1)[0] = 200;
  testing::internal::CaptureStderr();
  const media::Image image = load_thermal(write("palette.png", media::encode_png(colours)));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("a thermal picture has one channel"), std::string::npos);
  EXPECT_EQ(image.at(2, 1)[0], 60);  // 0.299 of it
  EXPECT_EQ(image.at(2, 1)[2], 60);
}

TEST_F(Thermal, WhatIsNoPictureIsRefusedByName) {
  try {
    load_thermal(write("broken.png", "no picture"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    EXPECT_NE(error.message().find("broken.png"), std::string::npos);
  }
}

TEST(PictureKinds, TheTableIsComplete) {
  EXPECT_EQ(picture_kinds().front().name, "image");
  for (const PictureKind& kind : picture_kinds()) {
    EXPECT_EQ(find_picture_kind(kind.name), &kind);
    EXPECT_FALSE(kind.input.empty());
    EXPECT_NE(kind.load, nullptr);
  }
  EXPECT_EQ(find_picture_kind("audio"), nullptr);
  EXPECT_TRUE(is_picture_file("A.JPG"));
  EXPECT_FALSE(is_picture_file("a.npy"));
}

}  // namespace
}  // namespace sensorium::modality
