#include "train/cutmix.h"

#include <gtest/gtest.h>

namespace sensorium::train {
namespace {

models::TrainingImage plain(int width, int height, uint8_t value, int label) {
  models::TrainingImage image;
  image.image = media::Image(width, height, 3, value);
  image.label = label;
  return image;
}

double share_of(const media::Image& image, uint8_t value) {
  const auto count = std::count(image.pixels.begin(), image.pixels.end(), value);
  return static_cast<double>(count) / static_cast<double>(image.pixels.size());
}

TEST(CutMix, TheSecondLabelWeighsAsMuchAsItCovers) {
  int mixed = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    models::TrainingBatch batch;
    batch.images = {plain(40, 30, 10, 3), plain(64, 48, 20, 7)};
    Rng rng(seed);
    cut_mix(batch, std::vector<double>{1, 1}, rng);
    const models::TrainingImage& image = batch.images[0];
    EXPECT_EQ(image.label, 3);
    EXPECT_EQ(image.image.width, 40);
    EXPECT_NEAR(share_of(image.image, 10) + share_of(image.image, 20), 1, 1e-9);
    EXPECT_NEAR(share_of(image.image, 20), image.other_share, 1e-6);
    if (image.other_share == 0) continue;
    EXPECT_EQ(image.other_label, 7);
    ++mixed;
  }
  EXPECT_GT(mixed, 10);
}

TEST(CutMix, PartsKeepTheirPlace) {
  // Black above, white below: of whatever part it is, the lower half stays white.
  models::TrainingBatch batch;
  batch.images = {plain(32, 32, 0, 1), plain(16, 16, 0, 2)};
  for (models::TrainingImage& image : batch.images) {
    for (int y = image.image.height / 2; y < image.image.height; ++y) {
      std::fill_n(image.image.row(y), image.image.row_samples(), uint8_t{255});
    }
  }
  Rng rng(5);
  cut_mix(batch, std::vector<double>{1, 1}, rng);
  for (int x = 0; x < 32; ++x) {
    EXPECT_LT(batch.images[0].image.at(x, 10)[0], 128);
    EXPECT_GT(batch.images[0].image.at(x, 21)[0], 128);
  }
}

TEST(CutMix, LeavesOtherPicturesAlone) {
  models::TrainingBatch batch;
  batch.images = {plain(32, 32, 10, 1), plain(32, 32, 20, -1), plain(32, 32, 30, 2), plain(32, 32, 40, 3)};
  batch.images[2].boxes_known = true;
  Rng rng(1);
  cut_mix(batch, std::vector<double>{1, 1, 1, 0}, rng);
  for (const models::TrainingImage& image : batch.images) {
    EXPECT_EQ(image.other_label, -1);
    EXPECT_EQ(share_of(image.image, image.image.pixels[0]), 1);
  }
}

TEST(CutMix, SameGeneratorSameBatch) {
  const auto make = [] {
    models::TrainingBatch batch;
    for (int i = 0; i < 6; ++i) batch.images.push_back(plain(32, 24, static_cast<uint8_t>(40 * i), i));
    Rng rng(9);
    cut_mix(batch, std::vector<double>(6, 0.7), rng);
    return batch;
  };
  const models::TrainingBatch a = make(), b = make();
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(a.images[i].image, b.images[i].image);
}

}  // namespace
}  // namespace sensorium::train
