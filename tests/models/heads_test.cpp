#include "models/sensorium/heads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/sensorium/chat.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

double logit_of(double probability) { return std::log(probability / (1 - probability)); }

// A detector's output written by hand: nothing anywhere, boxes of one cell, until a test says otherwise.
class Detections : public ::testing::Test {
 protected:
  // Pictures of width x height pixels; the grid's sides are rounded up, as the encoder's strides do.
  void pictures(const std::vector<std::pair<int, int>>& sizes, int64_t queries = 1) {
    for (const auto& [width, height] : sizes) {
      sizes_.widths.push_back(width);
      sizes_.heights.push_back(height);
      output_.grid.widths.push_back((width + 7) / 8);
      output_.grid.heights.push_back((height + 7) / 8);
    }
    output_.logits_PQ = Tensor::full({output_.grid.positions(), queries}, -20.0f);
    output_.distances_P4 = Tensor::full({output_.grid.positions(), 4}, 0.5f);
  }
  void put(size_t picture, int x, int y, double score, const std::vector<float>& distances, int64_t query = 0) {
    const int64_t cell = output_.grid.offsets()[picture] + int64_t{y} * output_.grid.widths[picture] + x;
    output_.logits_PQ.data<float>()[cell * output_.logits_PQ.dim(1) + query] = static_cast<float>(logit_of(score));
    for (int64_t i = 0; i < 4; ++i)
      output_.distances_P4.data<float>()[cell * 4 + i] = distances[static_cast<size_t>(i)];
  }
  std::vector<std::vector<Detection>> detect(const std::vector<double>& thresholds = {0.3}, int most = 200) const {
    return Detector().detect(output_, sizes_, thresholds, most);
  }
  static void expect_box(const Box& box, float x0, float y0, float x1, float y1) {
    EXPECT_NEAR(box.x0, x0, 1e-4);
    EXPECT_NEAR(box.y0, y0, 1e-4);
    EXPECT_NEAR(box.x1, x1, 1e-4);
    EXPECT_NEAR(box.y1, y1, 1e-4);
  }

  ops::Pictures sizes_;
  Detector::Output output_;
};

TEST_F(Detections, BoxesReachFromTheCellsCentreInPixels) {
  pictures({{80, 64}});
  put(0, 4, 3, 0.8, {1, 2, 2.5f, 0.25f});
  const auto found = detect();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_EQ(found[0][0].query, 0);
  EXPECT_NEAR(found[0][0].score, 0.8, 1e-5);
  expect_box(found[0][0].box, 36 - 8, 28 - 16, 36 + 20, 28 + 2);
}

TEST_F(Detections, BoxesAreCutToThePicture) {
  pictures({{50, 30}});
  put(0, 0, 0, 0.9, {3, 3, 100, 100});
  const auto found = detect();
  ASSERT_EQ(found[0].size(), 1u);
  expect_box(found[0][0].box, 0, 0, 50, 30);
}

TEST_F(Detections, BoxesOutsideThePictureAreNone) {
  // Three cells for 17 pixels: the last one's centre, 20, lies outside.
  pictures({{17, 16}});
  put(0, 2, 0, 0.9, {0.1f, 0.3f, 0.1f, 0.3f});
  EXPECT_TRUE(detect()[0].empty());
  put(0, 2, 0, 0.9, {1, 0.25f, 0.1f, 0.5f});
  ASSERT_EQ(detect()[0].size(), 1u);
  expect_box(detect()[0][0].box, 12, 2, 17, 8);
}

TEST_F(Detections, EveryPhraseHasItsThreshold) {
  pictures({{80, 80}}, 3);
  put(0, 2, 2, 0.4, {1, 1, 1, 1}, 0);
  put(0, 2, 2, 0.4, {1, 1, 1, 1}, 1);
  put(0, 2, 2, 0.4, {1, 1, 1, 1}, 2);
  const auto found = detect({0.39, 0.41, 0.2});
  ASSERT_EQ(found[0].size(), 2u);  // the same box twice: different phrases do not suppress each other
  EXPECT_EQ(found[0][0].query, 0);
  EXPECT_EQ(found[0][1].query, 2);
  EXPECT_EQ(detect({0, 0, 0})[0].size(), 3u);  // thresholds of 0 and 1 are no infinities
  EXPECT_TRUE(detect({1, 1, 1})[0].empty());
}

TEST_F(Detections, OnlyPeaksCount) {
  pictures({{80, 80}});
  put(0, 4, 4, 0.9, {0.4f, 0.4f, 0.4f, 0.4f});
  put(0, 5, 5, 0.89, {0.4f, 0.4f, 0.4f, 0.4f});  // a diagonal neighbour; the boxes do not even touch
  put(0, 7, 5, 0.6, {0.4f, 0.4f, 0.4f, 0.4f});   // two cells away from the last: a peak of its own
  const auto found = detect();
  ASSERT_EQ(found[0].size(), 2u);
  EXPECT_NEAR(found[0][0].score, 0.9, 1e-5);
  EXPECT_NEAR(found[0][1].score, 0.6, 1e-5);
}

TEST_F(Detections, OfEqualNeighboursTheFirstIsThePeak) {
  pictures({{80, 80}});
  for (const auto& [x, y] : {std::pair{3, 3}, {4, 3}, {3, 4}, {4, 4}}) put(0, x, y, 0.7, {0.4f, 0.4f, 0.4f, 0.4f});
  const auto found = detect();
  ASSERT_EQ(found[0].size(), 1u);
  expect_box(found[0][0].box, 28 - 3.2f, 28 - 3.2f, 28 + 3.2f, 28 + 3.2f);
}

TEST_F(Detections, AWeakerBoxThatCoversHalfIsSuppressed) {
  pictures({{160, 80}});
  // Boxes of 32 x 32 pixels, the second one shifted: by 8 pixels IoU is 24/40, by 16 it is 16/48.
  put(0, 5, 5, 0.6, {2, 2, 2, 2});
  put(0, 7, 5, 0.9, {3, 2, 1, 2});
  ASSERT_EQ(detect()[0].size(), 1u);
  EXPECT_NEAR(detect()[0][0].score, 0.9, 1e-5);
  put(0, 7, 5, 0.9, {2, 2, 2, 2});
  EXPECT_EQ(detect()[0].size(), 2u);
}

TEST_F(Detections, BestFirstAndNoMoreThanAsked) {
  pictures({{160, 160}});
  const std::vector<double> scores = {0.5, 0.95, 0.35, 0.7, 0.6};
  for (size_t i = 0; i < scores.size(); ++i) put(0, static_cast<int>(3 * i), 4, scores[i], {0.5f, 0.5f, 0.5f, 0.5f});
  const auto found = detect();
  ASSERT_EQ(found[0].size(), 5u);
  const std::vector<double> sorted = {0.95, 0.7, 0.6, 0.5, 0.35};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(found[0][i].score, sorted[i], 1e-5);
  ASSERT_EQ(detect({0.3}, 2)[0].size(), 2u);
  EXPECT_NEAR(detect({0.3}, 2)[0][1].score, 0.7, 1e-5);
}

TEST_F(Detections, PicturesOfABatchDoNotTouch) {
  pictures({{24, 16}, {40, 24}, {16, 32}});
  put(0, 2, 1, 0.8, {0.5f, 0.5f, 0.5f, 0.5f});  // the last cell of picture 0 and the first of picture 1
  put(1, 0, 0, 0.9, {0.5f, 0.5f, 0.5f, 0.5f});
  put(1, 4, 2, 0.7, {0.5f, 0.5f, 0.5f, 0.5f});
  const auto found = detect();
  ASSERT_EQ(found.size(), 3u);
  ASSERT_EQ(found[0].size(), 1u);
  ASSERT_EQ(found[1].size(), 2u);
  EXPECT_TRUE(found[2].empty());
  expect_box(found[0][0].box, 16, 8, 24, 16);
  expect_box(found[1][0].box, 0, 0, 8, 8);
  expect_box(found[1][1].box, 32, 16, 40, 24);
}

TEST_F(Detections, ReadsBf16AndPassesOverNaN) {
  pictures({{80, 80}});
  put(0, 3, 3, 0.75, {1, 1, 2, 2});
  output_.logits_PQ.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  output_.logits_PQ = output_.logits_PQ.to(DType::bf16);
  output_.distances_P4 = output_.distances_P4.to(DType::bf16);
  const auto found = detect();
  ASSERT_EQ(found[0].size(), 1u);
  EXPECT_NEAR(found[0][0].score, 0.75, 2e-3);
  expect_box(found[0][0].box, 20, 20, 44, 44);
}

TEST(IntersectionOverUnion, ByHand) {
  const Box a{0, 0, 4, 2};
  EXPECT_FLOAT_EQ(intersection_over_union(a, a), 1);
  EXPECT_FLOAT_EQ(intersection_over_union(a, {2, 0, 6, 2}), 4.0f / 12);
  EXPECT_FLOAT_EQ(intersection_over_union(a, {1, 0.5f, 2, 1.5f}), 1.0f / 8);
  EXPECT_FLOAT_EQ(intersection_over_union(a, {4, 0, 8, 2}), 0);  // they touch
  EXPECT_FLOAT_EQ(intersection_over_union(a, {9, 9, 1, 1}), 0);  // inside out
}

// The tiny model with the detector's bias at 0, so that every score is near a half and there is something to find.
std::unique_ptr<SensoriumModel> seeing_model(SensoriumConfig config = tiny_config()) {
  auto model = tiny_model(1, config);
  model->store().find("detector.bias").value.data<float>()[0] = 0;
  return model;
}

TEST(FindObjects, BoxesAreInPixelsOfThePictureAsGiven) {
  const auto model = seeing_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const media::Image image = tiny_image(5, 160, 90);  // larger than the budget of 64 x 64 pixels
  const std::vector<std::string> phrases = {"helmet", "red cat", "head"};
  const std::vector<AnswerBox> boxes = chat->find_objects(image, phrases);

  const media::Image small = modality::resize_for_model(image, model->config().prepare);
  ASSERT_LT(small.width, image.width);
  const std::vector<AnswerBox> in_small = chat->find_objects(small, phrases);
  ASSERT_FALSE(boxes.empty());
  ASSERT_EQ(boxes.size(), in_small.size());
  const float sx = 160.0f / static_cast<float>(small.width), sy = 90.0f / static_cast<float>(small.height);
  float right = 0;
  for (size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_EQ(boxes[i].label, in_small[i].label);
    EXPECT_NEAR(boxes[i].x0, in_small[i].x0 * sx, 1e-2);
    EXPECT_NEAR(boxes[i].y0, in_small[i].y0 * sy, 1e-2);
    EXPECT_NEAR(boxes[i].x1, in_small[i].x1 * sx, 1e-2);
    EXPECT_NEAR(boxes[i].y1, in_small[i].y1 * sy, 1e-2);
    EXPECT_TRUE(boxes[i].x0 >= 0 && boxes[i].y0 >= 0 && boxes[i].x1 <= 160 && boxes[i].y1 <= 90);
    EXPECT_GE(boxes[i > 0 ? i - 1 : 0].score, boxes[i].score);
    right = std::max(right, boxes[i].x1);
  }
  EXPECT_GT(right, static_cast<float>(small.width));
}

TEST(FindObjects, PhrasesDoNotDependOnEachOther) {
  const auto model = seeing_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const media::Image image = tiny_image(5, 64, 64);
  const auto of_helmet = [&](const std::vector<std::string>& phrases) {
    std::vector<float> numbers;
    for (const AnswerBox& box : chat->find_objects(image, phrases)) {
      if (box.label == "helmet") numbers.insert(numbers.end(), {box.score, box.x0, box.y0, box.x1, box.y1});
    }
    return numbers;
  };
  const std::vector<float> alone = of_helmet({"helmet"}), among = of_helmet({"head", "red dog", "helmet"});
  ASSERT_FALSE(alone.empty());
  ASSERT_EQ(alone.size(), among.size());
  for (size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(alone[i], among[i], 1e-3);
  EXPECT_EQ(error_of([&] { of_helmet({"head", ""}); }).kind(), ErrorKind::usage);
}

TEST(Classify, ProbabilitiesAreASoftmaxOverTheLabelsAskedFor) {
  const auto model = tiny_model();
  const auto chat = wrap_sensorium(*model, DType::f32);
  const media::Image image = tiny_image(5, 48, 64);
  const std::vector<std::string> labels = {"cat", "dog", "helmet", "three cats"}, fewer = {"three cats", "dog"};
  const std::vector<float> p = chat->classify(image, labels), q = chat->classify(image, fewer);
  ASSERT_EQ(p.size(), 4u);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-5);
  EXPECT_NEAR(q[0], p[3] / (p[3] + p[1]), 1e-4);
  EXPECT_NEAR(q[1], p[1] / (p[3] + p[1]), 1e-4);
}

TEST(FoundEvidence, TellsTheLikeliestLabelsThatAreNotUnlikely) {
  SensoriumConfig config = tiny_config();
  config.heads.labels = {"cat", "dog", "red dog", "head", "helmet", "three"};
  const auto model = tiny_model(1, config);
  const auto chat = wrap_sensorium(*model, DType::f32);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const media::Image image = tiny_image(seed, 32, 48);
    // A sharper head gives unlikely labels too.
    const Tensor pool = model->store().find("classifier.pool.weight").value;
    for (float& weight : pool.span<float>()) weight *= 1.7f;
    const std::vector<float> p = chat->classify(image, config.heads.labels);
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
    std::vector<std::string> expected;
    for (size_t k = 0; k < 3; ++k) {
      if (k == 0 || p[order[k]] >= 0.05f) expected.push_back(config.heads.labels[order[k]]);
    }
    EXPECT_EQ(model->perceive(image, DType::f32).evidence.labels, expected) << seed;
  }
}

TEST(FoundEvidence, ObjectsAreRelativeAndAboveTheirThresholds) {
  const auto model = seeing_model();
  const media::Image image = tiny_image(5, 150, 90);
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<AnswerBox> boxes = chat->find_objects(image, model->config().heads.objects);
  const std::vector<double> thresholds = {0.45, 0.52};  // of "head" and "helmet"
  model->mutable_config().heads.thresholds = thresholds;
  std::vector<AnswerBox> expected;
  for (const AnswerBox& box : boxes) {
    if (box.score >= static_cast<float>(thresholds[box.label == "head" ? 0 : 1])) expected.push_back(box);
  }
  ASSERT_FALSE(expected.empty());
  ASSERT_LT(expected.size(), boxes.size());
  const std::vector<FoundObject> objects = model->perceive(image, DType::f32).evidence.objects;
  ASSERT_EQ(objects.size(), expected.size());
  for (size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(objects[i].label, expected[i].label);
    EXPECT_NEAR(objects[i].score, expected[i].score, 1e-5);
    EXPECT_NEAR(objects[i].box.x0, expected[i].x0 / 150, 1e-4);
    EXPECT_NEAR(objects[i].box.y0, expected[i].y0 / 90, 1e-4);
    EXPECT_NEAR(objects[i].box.x1, expected[i].x1 / 150, 1e-4);
    EXPECT_NEAR(objects[i].box.y1, expected[i].y1 / 90, 1e-4);
  }
  model->mutable_config().heads.thresholds = {1, 1};
  EXPECT_TRUE(model->perceive(image, DType::f32).evidence.objects.empty());
}

}  // namespace
}  // namespace sensorium::models
