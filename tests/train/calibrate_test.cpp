#include "train/calibrate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/temp_folder.h"
#include "models/sensorium/chat.h"
#include "models/tiny_model.h"

namespace sensorium::train {
namespace {

class Calibration : public data::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    model_->store().find("detector.bias").value.data<float>()[0] =
        0;  // scores near a half: there is something to choose
    recipe_.data_root = folder_;
    recipe_.validation_fraction = 1;
    recipe_.compute = DType::f32;
  }
  int64_t heads_found(int picture, double threshold) const {
    const std::vector<std::string> phrases = {"head"};
    const auto boxes = models::wrap_sensorium(*model_, DType::f32)
                           ->find_objects(models::tiny_image(picture_seed(picture), 64, 64), phrases);
    return std::count_if(boxes.begin(), boxes.end(), [&](const auto& b) { return b.score >= threshold; });
  }
  static uint64_t picture_seed(int picture) { return 40 + static_cast<uint64_t>(picture); }

  // A data set whose pictures hold as many heads as `heads_of` a picture's number says.
  template <typename HeadsOf>
  void write_pictures(int pictures, HeadsOf&& heads_of) {
    std::string lines;
    for (int i = 0; i < pictures; ++i) {
      const std::string name = fmt::format("{}.png", i);
      write(name, media::encode_png(models::tiny_image(picture_seed(i), 64, 64)));
      Json record{{"image", name}, {"boxes", Json::array()}};
      for (int64_t k = 0; k < heads_of(i); ++k) {
        record["boxes"].push_back({{"box", {k, k, k + 5, k + 5}}, {"class", "head"}});
      }
      lines += record.dump() + "\n";
    }
    write("set.jsonl", lines);
  }
  // As many heads as the detector finds at `threshold`.
  void write_set(double threshold) {
    write_pictures(6, [&](int picture) { return heads_found(picture, threshold); });
  }
  int exact(double threshold, double truth) const {
    int hits = 0;
    for (int i = 0; i < 6; ++i) hits += heads_found(i, threshold) == heads_found(i, truth) ? 1 : 0;
    return hits;
  }

  std::unique_ptr<models::SensoriumModel> model_ = models::tiny_model();
  Recipe recipe_;
};

TEST_F(Calibration, FindsThresholdsThatCountRight) {
  for (const double truth : {0.42, 0.50}) {
    model_->mutable_config().heads.thresholds.clear();
    write_set(truth);
    ASSERT_LT(exact(0.1, truth), 6) << "any threshold would do";
    calibrate_thresholds(*model_, {{.path = "set.jsonl", .objects = {"head"}}}, recipe_);
    const std::vector<double> thresholds = model_->config().heads.thresholds;
    ASSERT_EQ(thresholds.size(), 2u);
    EXPECT_EQ(exact(thresholds[0], truth), 6) << thresholds[0];
    EXPECT_EQ(thresholds[1], 0.3);  // no picture marks helmets
  }
}

// The high threshold counts one picture of nine more exactly, which may be luck; the low one is far nearer where both are wrong.
TEST_F(Calibration, WhatMayBeLuckDoesNotDecide) {
  constexpr double kLow = 0.42, kHigh = 0.58;
  const auto truth = [&](int picture) {
    return picture < 4 ? heads_found(picture, kHigh) : heads_found(picture, kLow) + (picture < 7 ? 0 : 5);
  };
  int low = 0, high = 0;
  for (int i = 0; i < 9; ++i) {
    low += heads_found(i, kLow) == truth(i) ? 1 : 0;
    high += heads_found(i, kHigh) == truth(i) ? 1 : 0;
  }
  ASSERT_EQ(low, 3);
  ASSERT_EQ(high, 4);
  write_pictures(9, truth);
  calibrate_thresholds(*model_, {{.path = "set.jsonl", .objects = {"head"}}}, recipe_);
  EXPECT_LT(model_->config().heads.thresholds[0], 0.5);
}

TEST_F(Calibration, KindsThatNobodyMarkedKeepTheirs) {
  write_set(0.5);
  model_->mutable_config().heads.thresholds = {0.11, 0.77};
  calibrate_thresholds(*model_, {{.path = "set.jsonl", .objects = {"head"}}}, recipe_);
  EXPECT_NE(model_->config().heads.thresholds[0], 0.11);
  EXPECT_EQ(model_->config().heads.thresholds[1], 0.77);
  model_->mutable_config().heads.thresholds = {0.11, 0.77};
  calibrate_thresholds(*model_, {{.path = "set.jsonl"}}, recipe_);  // a set that marks nothing
  EXPECT_EQ(model_->config().heads.thresholds, (std::vector<double>{0.11, 0.77}));
}

}  // namespace
}  // namespace sensorium::train
