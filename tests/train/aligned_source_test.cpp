#include "train/aligned_source.h"

#include <gtest/gtest.h>

#include "data/world/aligned/aligned.h"
#include "models/tiny_senses.h"
#include "train/batch_builder.h"

namespace sensorium::train {
namespace {

TEST(AlignedSource, ShowsEverySceneToEverySense) {
  Recipe recipe;
  const auto source = open_source({.world = "senses", .objects = {"car"}}, recipe, Part::train);
  for (int64_t scene = 0; scene < 3; ++scene) {
    const data::AlignedScene made = data::generate_aligned_scene(recipe.seed, static_cast<uint64_t>(scene));
    std::vector<std::string> senses;
    for (int64_t view = 0; view < 6; ++view) {
      const Lesson lesson = source->get(6 * scene + view);
      EXPECT_TRUE(lesson.has_percept());
      EXPECT_FALSE(lesson.label.empty());
      EXPECT_FALSE(lesson.exchanges.empty()) << view;
      EXPECT_EQ(lesson.boxes_known, lesson.image != nullptr);
      senses.emplace_back(lesson.recording ? lesson.recording->sense->name
                          : lesson.picture ? lesson.picture->name
                                           : "image");
      if (senses.back() == "audio") {
        EXPECT_EQ(lesson.label, made.name);
      }
      if (senses.back() == "depth") {
        EXPECT_GE(lesson.exchanges.size(), 3u);
        EXPECT_EQ(lesson.exchanges.at(0).answer, made.name);
        EXPECT_TRUE(lesson.exchanges.back().question.starts_with("Which part of the scene is nearest"));
      }
      if (senses.back() == "imu") {
        EXPECT_EQ(lesson.label, made.camera_motion);
      }
      if (senses.back() == "video") {
        EXPECT_EQ(lesson.captions.at(0), data::story_of(made));
      }
    }
    EXPECT_EQ(senses, (std::vector<std::string>{"image", "thermal", "depth", "audio", "video", "imu"}));
  }
  EXPECT_NE(*source->get(0).image, *open_source({.world = "senses"}, recipe, Part::validation)->get(0).image);
}

TEST(AlignedSource, NamesWhatItTeaches) {
  const auto source = open_source({.world = "senses", .objects = {"car", "key"}}, {}, Part::train);
  std::set<std::string> labels, objects;
  source->collect_names(labels, objects);
  EXPECT_EQ(objects, (std::set<std::string>{"car", "key"}));
  std::map<std::string, std::set<std::string>> recorded;
  source->collect_recorded(recorded);
  EXPECT_EQ(recorded.size(), 4u);
  for (int64_t i = 0; i < 24; ++i) {
    const Lesson lesson = source->get(i);
    const std::set<std::string>& known =
        lesson.recording ? recorded[std::string(lesson.recording->sense->name)] : labels;
    EXPECT_TRUE(known.contains(lesson.label)) << lesson.label;
    for (const std::string& trait : lesson.traits) EXPECT_TRUE(known.contains(trait)) << trait;
  }
}

// A batch of all senses is one that a model learns from.
TEST(AlignedSource, OneBatchOfAllSenses) {
  models::SensoriumConfig config = models::tiny_senses_config();
  config.decoder.context = 256;
  config.heads.labels.assign(data::aligned_things().begin(), data::aligned_things().end());
  config.heads.objects = {"car"};
  const auto model = models::tiny_model(1, config);
  Recipe recipe;
  recipe.compute = DType::f32;
  const SetRecipe set{.world = "senses", .objects = {"car"}};
  const auto source = open_source(set, recipe, Part::train);
  models::TrainingBatch batch;
  BatchBuilder builder(*model, recipe);
  Rng rng(1);
  for (int64_t i = 0; i < 6; ++i) builder.add(batch, source->get(i), set, rng);
  builder.finish(batch, rng);
  EXPECT_EQ(batch.images.size(), 2u);
  EXPECT_EQ(batch.recordings.size(), 4u);
  EXPECT_EQ(batch.sequences.size(), 6u);
  const models::BatchLosses losses = models::training_loss(*model, batch, {}, DType::f32);
  EXPECT_TRUE(std::isfinite(losses.total.item()));
}

}  // namespace
}  // namespace sensorium::train
