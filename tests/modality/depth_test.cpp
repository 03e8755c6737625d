#include "modality/depth/depth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "io/npy.h"
#include "media/encode.h"

namespace sensorium::modality {
namespace {

namespace fs = std::filesystem;

// A wall 3 m away, with a box of `width` x `height` at 1.2 m whose upper left corner is at x, y.
media::Image16 room(int x, int y, int width, int height) {
  media::Image16 counts(160, 120, 1, 3000);
  for (int v = y; v < y + height; ++v) std::fill_n(counts.at(x, v), width, uint16_t{1200});
  return counts;
}

class Depth : public testing::Test {
 protected:
  Depth() : folder_(fs::path(testing::TempDir()) / "depth_test") { fs::create_directories(folder_); }
  ~Depth() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& bytes) const {
    write_file_atomic(folder_ / name, bytes);
    return folder_ / name;
  }
  std::string error_of(const fs::path& path, const RecordingOptions& options = {}) const {
    try {
      load_depth(path, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
      EXPECT_NE(error.message().find(path.filename().string()), std::string::npos) << error.message();
      return error.message();
    }
    return "nothing";
  }
  fs::path folder_;
};

TEST_F(Depth, UnitsOfPicturesAndArrays) {
  const fs::path picture = write("room.png", media::encode_png(room(0, 0, 10, 10)));
  EXPECT_FLOAT_EQ(load_depth(picture, {}).at(100, 60), 3.0f);
  EXPECT_FLOAT_EQ(load_depth(picture, {}).at(3, 3), 1.2f);
  EXPECT_NE(error_of(picture, {.depth_unit_m = 1}).find("is the unit right? (--depth-unit mm|m)"), std::string::npos)
      << "nothing is 1200 m away";
  const Tensor metres = Tensor::full({4, 6}, 2.5f);
  const fs::path array = write("room.npy", io::encode_npy(metres));
  EXPECT_FLOAT_EQ(load_depth(array, {}).at(5, 3), 2.5f);
  EXPECT_EQ(load_depth(array, {}).width, 6);
  EXPECT_FLOAT_EQ(load_depth(array, {.depth_unit_m = 1e-3}).at(0, 0), 2.5e-3f);
}

TEST_F(Depth, WhatIsNoDistanceIsNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const Tensor metres = Tensor::from(std::vector<float>{nan, infinity, -1, 0, 2, 1000}, {2, 3});
  const DepthPicture depth = load_depth(write("odd.npy", io::encode_npy(metres)), {});
  EXPECT_EQ(depth.metres, (std::vector<float>{0, 0, 0, 0, 2, 0}));
}

TEST_F(Depth, WhatIsWrongIsSaid) {
  EXPECT_NE(error_of(write("photo.png", media::encode_png(media::Image(8, 8, 3)))).find("a grey PNG of 16 bits"),
            std::string::npos);
  EXPECT_NE(error_of(write("cube.npy", io::encode_npy(Tensor::zeros({2, 2, 2})))).find("[height, width]"),
            std::string::npos);
  error_of(write("empty.png", media::encode_png(media::Image16(8, 8, 1))));
  error_of(write("broken.png", "no picture"));
}

TEST_F(Depth, FactsAreMeasured) {
  const auto facts = [&](const media::Image16& counts) {
    return load_depth_recording(write("room.png", media::encode_png(counts)), {}).facts;
  };
  EXPECT_EQ(facts(room(115, 85, 40, 32)), (std::vector<std::string>{"centre 3.0 m", "nearest bottom right"}));
  EXPECT_EQ(facts(room(60, 45, 40, 32)), (std::vector<std::string>{"centre 1.2 m", "nearest centre"}));
  // A few near pixels are no nearest cell, and holes are not near.
  media::Image16 counts = room(0, 0, 50, 38);
  std::fill_n(counts.at(150, 110), 5, uint16_t{200});
  for (int y = 80; y < 120; ++y) std::fill_n(counts.at(0, y), 160, uint16_t{0});
  EXPECT_EQ(facts(counts), (std::vector<std::string>{"centre 3.0 m", "nearest top left"}));
  // Nothing is known of the centre.
  media::Image16 hole = room(0, 0, 50, 38);
  for (int y = 50; y < 70; ++y) std::fill_n(hole.at(70, y), 20, uint16_t{0});
  EXPECT_EQ(facts(hole), std::vector<std::string>{"nearest top left"});
}

TEST_F(Depth, LargePicturesAreReducedByWhatWasMeasured) {
  DepthPicture depth{400, 300, std::vector<float>(120'000, 2.0f)};
  for (size_t i = 0; i < depth.metres.size(); i += 2) depth.metres[i] = 0;  // every other pixel is a hole
  const DepthPicture small = reduce(depth, kDepthPixels);
  EXPECT_EQ(small.width, 160);
  EXPECT_EQ(small.height, 120);
  for (const float metres : small.metres) ASSERT_FLOAT_EQ(metres, 2.0f);
  EXPECT_EQ(depth_recording(depth).windows.at(0).shape(), Shape({120, 160}));
  const DepthPicture same = reduce(small, kDepthPixels);
  EXPECT_EQ(same.metres, small.metres);
}

TEST_F(Depth, ASignalTellsDistanceOrderHolesAndPlace) {
  const Tensor window = Tensor::from(std::vector<float>{1, 2, 0, 3}, {2, 2});
  const Signal signal = depth_signal(window);
  EXPECT_EQ(signal.channels, kDepthChannels);
  EXPECT_EQ(signal.height, 16);  // one position of an encoder
  EXPECT_LT(signal.at(0, 0, 0), signal.at(0, 1, 0));
  EXPECT_FLOAT_EQ(signal.at(0, 0, 1), -1);
  EXPECT_FLOAT_EQ(signal.at(0, 1, 1), 0);
  EXPECT_FLOAT_EQ(signal.at(1, 1, 1), 1);
  EXPECT_FLOAT_EQ(signal.at(0, 0, 2), 1);
  EXPECT_FLOAT_EQ(signal.at(1, 0, 2), -1);
  EXPECT_FLOAT_EQ(signal.at(1, 0, 0), 0);
  EXPECT_LT(signal.at(0, 0, 3), signal.at(0, 1, 3));
  EXPECT_LT(signal.at(0, 0, 4), signal.at(1, 0, 4));
}

}  // namespace
}  // namespace sensorium::modality
