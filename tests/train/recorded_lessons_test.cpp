// Batches of lessons about recordings, and a sense that learns from them.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "models/sensorium/chat.h"
#include "models/tiny_senses.h"
#include "train/augment_recording.h"
#include "train/batch_builder.h"
#include "train/optimizer.h"

namespace sensorium::train {
namespace {

using models::TokenSequence;
using models::TrainingBatch;

std::shared_ptr<const modality::Recording> shared(modality::Recording recording) {
  return std::make_shared<const modality::Recording>(std::move(recording));
}

class RecordedLessons : public ::testing::Test {
 protected:
  RecordedLessons() {
    models::SensoriumConfig config = models::tiny_senses_config();
    config.decoder.context = 256;
    model_ = models::tiny_model(1, config);
    recipe_.compute = DType::f32;
    recipe_.predicted_evidence = 0;
    recipe_.questions_per_image = 8;
  }
  static Lesson bark() {
    Lesson lesson;
    lesson.recording = shared(models::tiny_sound(1, 20, 100));
    lesson.label = "dog";
    lesson.exchanges = {{"how many?", "two"}};
    lesson.captions = {"a red dog"};
    return lesson;
  }
  TrainingBatch build(const std::vector<Lesson>& lessons, const SetRecipe& set = {.path = "x"}) const {
    TrainingBatch batch;
    BatchBuilder builder(*model_, recipe_);
    Rng rng(1);
    for (const Lesson& lesson : lessons) builder.add(batch, lesson, set, rng);
    builder.finish(batch, rng);
    return batch;
  }
  std::string text_of(const TokenSequence& sequence) const {
    std::string text;
    const models::SpecialTokens& special = model_->prompt().special();
    for (const int32_t token : sequence.tokens) {
      text += token == special.image       ? "*"
              : token == special.evidence  ? "<e>"
              : token == special.end       ? "<end>"
              : token == special.user      ? "<user>"
              : token == special.assistant ? "<assistant>"
              : token == special.bos       ? ""
                                           : model_->tokenizer().decode(std::vector<int32_t>{token});
    }
    return text;
  }

  std::unique_ptr<models::SensoriumModel> model_;
  Recipe recipe_;
};

TEST_F(RecordedLessons, SignalLabelAndQuestions) {
  const TrainingBatch batch = build({bark()});
  EXPECT_TRUE(batch.images.empty());
  ASSERT_EQ(batch.recordings.size(), 1u);
  EXPECT_EQ(batch.recordings[0].label, 1);  // of cat, dog, red
  EXPECT_EQ(batch.recordings[0].signal.width, 100);
  ASSERT_EQ(batch.sequences.size(), 1u);
  const std::string text = text_of(batch.sequences[0]);
  const std::string places(
      static_cast<size_t>(model_->sense(modality::sense_kind("audio")).token_count(batch.recordings[0].signal)), '*');
  EXPECT_TRUE(text.starts_with("<user>sound: " + places + "<e>dog")) << text;
  for (const char* exchange : {"What do you hear?<end><assistant>dog<end>", "how many?<end><assistant>two<end>",
                               "Describe the sound.<end><assistant>a red dog<end>"})
    EXPECT_NE(text.find(exchange), std::string::npos) << exchange << " in " << text;
  EXPECT_EQ(batch.sequences[0].images, std::vector<int>{0});
  // All of it is a batch that can be learned from.
  EXPECT_TRUE(std::isfinite(models::training_loss(*model_, batch, {}, DType::f32).total.item()));
}

TEST_F(RecordedLessons, PicturesAndRecordingsOfOneBatch) {
  Lesson cat;
  cat.image = std::make_shared<const media::Image>(models::tiny_image(1));
  cat.label = "cat";
  cat.exchanges = {{"which one?", "cat"}};
  Lesson chat;
  chat.turns = {{.role = "user",
                 .parts = {{.recording = bark().recording}, {.text = "and", .image = nullptr}, {.image = cat.image}}},
                {.role = "assistant", .parts = {{.text = "both", .image = nullptr}}}};
  recipe_.predicted_evidence = 1;
  const TrainingBatch batch = build({bark(), cat, chat});
  ASSERT_EQ(batch.images.size(), 2u);
  ASSERT_EQ(batch.recordings.size(), 2u);
  ASSERT_EQ(batch.sequences.size(), 3u);
  EXPECT_EQ(batch.sequences[0].images, std::vector<int>{2});
  EXPECT_EQ(batch.sequences[1].images, std::vector<int>{0});
  EXPECT_EQ(batch.sequences[2].images, (std::vector<int>{3, 1}));
  EXPECT_TRUE(std::isfinite(models::training_loss(*model_, batch, {}, DType::f32).total.item()));
}

TEST_F(RecordedLessons, ReadingsTellTheEvidenceAlone) {
  TrainingBatch batch;
  BatchBuilder builder(*model_, recipe_);
  Rng rng(1);
  builder.add_reading(batch, bark(), {.path = "x"}, rng);
  Lesson unknown = bark();
  unknown.label = "";
  builder.add_reading(batch, unknown, {.path = "x"}, rng);
  ASSERT_EQ(batch.sequences.size(), 2u);
  EXPECT_TRUE(text_of(batch.sequences[0]).starts_with("<user>sound: <e>dog")) << text_of(batch.sequences[0]);
  for (const TokenSequence& sequence : batch.sequences) EXPECT_TRUE(sequence.images.empty());
  EXPECT_TRUE(std::isfinite(models::training_loss(*model_, batch, {}, DType::f32).total.item()));
  EXPECT_THROW(builder.add_text(batch, bark(), rng), Error);
}

TEST_F(RecordedLessons, AFilmTellsWhatHappensAndWhetherAnythingMoves) {
  Lesson drive;
  drive.recording = shared(models::tiny_film(1, 3));
  drive.label = "dog";
  drive.traits = {"red"};
  drive.exchanges = {{"how many?", "two"}};
  for (const char* policy : {"none", "film"}) {
    const TrainingBatch batch = build({drive}, {.path = "x", .augment = policy});
    ASSERT_EQ(batch.recordings.size(), 1u);
    EXPECT_EQ(batch.recordings[0].label, 1);  // of cat, dog, red
    EXPECT_EQ(batch.recordings[0].trait, 2);
    EXPECT_EQ(batch.recordings[0].signal.frames, 8);
    const models::Sense& sense = model_->sense(modality::sense_kind("video"));
    // 8 frames of 2 x 2 cells, of which 2 x 2 become one token.
    EXPECT_EQ(sense.token_count(batch.recordings[0].signal), 8);
    const std::string text = text_of(batch.sequences.at(0));
    EXPECT_TRUE(text.starts_with("<user>video: ********<e>dog, red")) << text;
    EXPECT_TRUE(std::isfinite(models::training_loss(*model_, batch, {}, DType::f32).total.item()));
  }
}

TEST_F(RecordedLessons, WhatIsMeasuredIsTold) {
  Lesson room;
  room.recording = shared(models::tiny_room(1.5f));
  room.exchanges = {{"how many?", "two"}};
  for (const double predicted : {0.0, 1.0}) {
    recipe_.predicted_evidence = predicted;
    const std::string text = text_of(build({room}).sequences.at(0));
    EXPECT_NE(text.find("centre 1.5 m; nearest top left"), std::string::npos) << text;
  }
  TrainingBatch batch;
  BatchBuilder builder(*model_, recipe_);
  Rng rng(1);
  builder.add_reading(batch, room, {.path = "x"}, rng);
  EXPECT_NE(text_of(batch.sequences.at(0)).find("centre 1.5 m"), std::string::npos);
}

TEST_F(RecordedLessons, ThermalPicturesAreLedIn) {
  Lesson night;
  night.image = std::make_shared<const media::Image>(models::tiny_image(1));
  night.picture = modality::find_picture_kind("thermal");
  night.label = "cat";
  night.exchanges = {{"how many?", "two"}};
  EXPECT_TRUE(text_of(build({night}).sequences.at(0)).starts_with("<user>thermal: *"));
  TrainingBatch batch;
  BatchBuilder builder(*model_, recipe_);
  Rng rng(1);
  builder.add_reading(batch, night, {.path = "x"}, rng);
  EXPECT_TRUE(text_of(batch.sequences.at(0)).starts_with("<user>thermal: <e>cat")) << text_of(batch.sequences[0]);
  night.picture = nullptr;
  EXPECT_TRUE(text_of(build({night}).sequences.at(0)).starts_with("<user>*"));
}

// What is augmented is one film: nothing that stands begins to move.
TEST_F(RecordedLessons, AllFramesOfAFilmAreChangedInTheSameWay) {
  const modality::Recording still = models::tiny_film(1, 0);
  Rng rng(7);
  for (int i = 0; i < 5; ++i) {
    const Tensor changed = augment_recording(still.windows[0], modality::sense_kind("video"), "film", rng);
    const std::vector<media::Image> frames = modality::frames_of(changed);
    ASSERT_EQ(frames.size(), 8u);
    for (const media::Image& frame : frames) EXPECT_EQ(frame, frames[0]);
    EXPECT_NE(frames[0], modality::frames_of(still.windows[0])[0]);
  }
}

TEST_F(RecordedLessons, AugmentationsOfPicturesAreRefused) {
  EXPECT_EQ(error_of([&] { build({bark()}, {.path = "x", .augment = "photo"}); }).message(),
            "the augmentation \"photo\" is not for a sound: sound, speech, none");
}

// Low and high sounds, slow and fast shaking, what drives past and what stands: after a few steps recordings that were never
// perceived are told apart.
TEST_F(RecordedLessons, ASenseLearnsFromThem) {
  recipe_.losses = {.label = 1, .detection = 0, .box = 0, .language = 0, .label_smoothing = 0};
  models::SensoriumModel& model = *model_;
  model.store().set_trainable({"*"}, false);
  model.store().set_trainable({"senses.*"}, true);
  AdamW optimizer(model.store(), {});
  constexpr const char* kPolicies[] = {"speech", "motion", "film"};
  const auto lesson = [](uint64_t seed, uint64_t sense, bool second) {
    Lesson made;
    made.recording = shared(sense == 0   ? models::tiny_sound(seed, second ? 50 : 12)
                            : sense == 1 ? models::tiny_motion(seed, second ? 8 : 1)
                                         : models::tiny_film(seed, second ? 5 : 0));
    made.label = second ? "dog" : "cat";
    return made;
  };
  for (uint64_t step = 0; step < 30; ++step) {
    TrainingBatch batch;
    BatchBuilder builder(model, recipe_);
    Rng rng(step + 1);
    for (uint64_t i = 0; i < 12; ++i)
      builder.add(batch, lesson(1000 + step * 12 + i, i % 3, i % 2 == 0), {.path = "x", .augment = kPolicies[i % 3]},
                  rng);
    builder.finish(batch, rng);
    backward(models::training_loss(model, batch, recipe_.losses, DType::f32).total);
    optimizer.step(5e-3);
  }
  const auto chat = models::wrap_sensorium(model, DType::f32);
  const std::vector<std::string> labels = {"cat", "dog"};
  int right = 0;
  for (uint64_t i = 0; i < 60; ++i) {
    const Lesson unheard = lesson(9000 + i, i % 3, i % 2 == 0);
    const std::vector<float> p = chat->classify_part({.recording = unheard.recording}, labels);
    right += (p[1] > p[0]) == (unheard.label == "dog") ? 1 : 0;
  }
  EXPECT_GE(right, 57);
}

}  // namespace
}  // namespace sensorium::train
