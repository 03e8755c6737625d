// Objectives without labels against plain loops.
// Legend: N pictures or windows, C channels.
#include "models/sensorium/objectives.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/safetensors.h"
#include "models/gradient_checks.h"
#include "models/tiny_senses.h"

namespace sensorium::models {
namespace {

constexpr LossWeights kNone{.label = 0, .detection = 0, .box = 0, .language = 0};

LossWeights with(float LossWeights::*weight, float value = 1) {
  LossWeights weights = kNone;
  weights.*weight = value;
  return weights;
}

SensoriumConfig joint_config() {
  SensoriumConfig config = tiny_senses_config();
  config.joint = JointConfig{
      .dim = 8, .width = 16, .text_width = 16, .text_layers = 1, .text_heads = 2, .senses = {"image", "audio"}};
  return config;
}

TrainingRecording window_of(const modality::Recording& recording) {
  return {.sense = recording.sense, .signal = signals_of(recording)[0], .facts = {}};
}

TEST(MaskedPatches, TheErrorOfTheHiddenPatchesAlone) {
  auto model = tiny_model(1, tiny_senses_config());
  const LossWeights weights = with(&LossWeights::masked_patches);
  const ObjectiveHeads heads(model->store(), model->config(), weights);
  TrainingBatch batch;
  batch.images.push_back(
      {.image = tiny_image(1, 48, 32), .objects = {}, .unknown_objects = {}, .hidden = {0, 1, 0, 0, 1, 0}});
  batch.images.push_back({.image = tiny_image(2, 32, 32), .objects = {}, .unknown_objects = {}});
  const NoGrad no_grad;
  const double loss = training_loss(*model, batch, weights, DType::f32, &heads).masked_patches;

  // The picture with grey squares (128 is within half a grey value of the middle), and the map from tokens to patches by hand.
  media::Image shown = batch.images[0].image;
  for (const auto& [left, top] : {std::pair(16, 0), std::pair(16, 16)}) {
    for (int y = top; y < top + 16; ++y) {
      for (int x = left; x < left + 16; ++x) std::fill_n(shown.at(x, y), 3, 128);
    }
  }
  const media::Image* pointer = &shown;
  const modality::ImageFeatures features = model->encode(modality::pack_images({&pointer, 1}, DType::f32));
  const Tensor weight = model->store().find("objectives.image.patches.weight").value;
  const int64_t dim = weight.dim(1);
  double sum = 0;
  for (const auto& [cell, left, top] : {std::tuple(1, 16, 0), std::tuple(4, 16, 16)}) {
    for (int k = 0; k < 768; ++k) {
      double guess = 0;
      for (int64_t c = 0; c < dim; ++c)
        guess +=
            static_cast<double>(weight.data<float>()[k * dim + c]) * features.tokens_TC.data<float>()[cell * dim + c];
      const uint8_t value = batch.images[0].image.at(left + k / 3 % 16, top + k / 48)[k % 3];
      const double truth = (value / 255.0 - 0.5) * 4;
      sum += (guess - truth) * (guess - truth);
    }
  }
  EXPECT_NEAR(loss, sum / (2 * 768), 0.01 * loss);
  batch.images[0].hidden.clear();
  EXPECT_EQ(error_of([&] { training_loss(*model, batch, weights, DType::f32, &heads); }).kind(), ErrorKind::usage);
}

TEST(MaskedPatches, GradientsAreSlopesOfTheLoss) {
  auto model = tiny_model();
  const LossWeights weights = with(&LossWeights::masked_patches);
  const ObjectiveHeads heads(model->store(), model->config(), weights);
  TrainingBatch batch;
  batch.images.push_back({.image = tiny_image(1), .objects = {}, .unknown_objects = {}, .hidden = {0, 1, 1, 0}});
  backward(training_loss(*model, batch, weights, DType::f32, &heads).total);
  EXPECT_TRUE(model->store().find("image.stem.weight").value.grad().defined());
  expect_slopes(model->store(), [&] {
    const NoGrad no_grad;
    return static_cast<double>(training_loss(*model, batch, weights, DType::f32, &heads).total.item());
  });
}

TEST(MaskedPatches, OfSoundsToo) {
  auto model = tiny_model(1, tiny_senses_config());
  const LossWeights weights = with(&LossWeights::masked_patches);
  const ObjectiveHeads heads(model->store(), model->config(), weights);
  TrainingBatch batch;
  batch.recordings.push_back(window_of(tiny_sound(1, 20, 64)));
  batch.recordings[0].hidden = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
  backward(training_loss(*model, batch, weights, DType::f32, &heads).total);
  EXPECT_GT(squared_gradient(model->store().find("objectives.audio.patches.weight")), 0);
  EXPECT_GT(squared_gradient(model->store().find("senses.audio.encoder.embed.weight")), 0);
  EXPECT_FALSE(model->store().find("objectives.image.patches.weight").value.grad().defined());
}

TEST(FrameOrder, TellsTheShuffledFromTheOthers) {
  auto model = tiny_model(1, tiny_senses_config());
  const LossWeights weights = with(&LossWeights::frame_order);
  const ObjectiveHeads heads(model->store(), model->config(), weights);
  TrainingBatch batch;
  for (const uint64_t seed : {1, 2, 3}) batch.recordings.push_back(window_of(tiny_film(seed, 3)));
  batch.recordings[0].order = {0, 1, 2, 3, 4, 5, 6, 7};
  batch.recordings[1].order = {3, 0, 7, 1, 2, 6, 4, 5};
  const NoGrad no_grad;
  const double loss = training_loss(*model, batch, weights, DType::f32, &heads).frame_order;

  const Tensor weight = model->store().find("objectives.video.order.weight").value;
  double sum = 0;
  for (const size_t i : {0, 1}) {
    modality::Signal film = batch.recordings[i].signal;
    const size_t frame = film.values.size() / 8;
    for (size_t t = 0; t < 8; ++t) {
      for (size_t k = 0; k < frame; ++k)
        film.values[t * frame + k] =
            batch.recordings[i].signal.values[static_cast<size_t>(batch.recordings[i].order[t]) * frame + k];
    }
    const modality::Signal* pointer = &film;
    const modality::ImageFeatures features =
        model->encode(model->sense(modality::sense_kind("video")), {&pointer, 1}, DType::f32);
    const int64_t rows = features.tokens_TC.dim(0), dim = features.tokens_TC.dim(1);
    double logits[2] = {0, 0};
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t c = 0; c < dim; ++c) {
        for (int64_t k = 0; k < 2; ++k)
          logits[k] += static_cast<double>(weight.data<float>()[k * dim + c]) *
                       features.tokens_TC.data<float>()[t * dim + c] / static_cast<double>(rows);
      }
    }
    sum += std::log(std::exp(logits[0]) + std::exp(logits[1])) - logits[i];
  }
  EXPECT_NEAR(loss, sum / 2, 1e-4);
}

TEST(Contrastive, PicturesAndSoundsMeetTheirNames) {
  auto model = tiny_model(1, joint_config());
  TrainingBatch batch;
  const auto called = [&](const std::string& phrase, int32_t concept_id) {
    return Called{model->tokenizer().encode(phrase), concept_id};
  };
  batch.images.push_back({.image = tiny_image(1), .objects = {}, .unknown_objects = {}, .called = called("a cat", 0)});
  batch.images.push_back({.image = tiny_image(2), .objects = {}, .unknown_objects = {}});
  batch.recordings.push_back(window_of(tiny_sound(1, 20)));
  batch.recordings[0].called = called("dog", 1);
  batch.recordings.push_back(window_of(tiny_sound(2, 50)));
  batch.recordings[1].called = called("cat", 0);
  batch.recordings.push_back(window_of(tiny_motion(2, 5)));  // a sense without a head
  batch.recordings[2].called = called("red", 2);
  const LossWeights weights = with(&LossWeights::contrastive);
  const NoGrad no_grad;
  const double loss = training_loss(*model, batch, weights, DType::f32).contrastive;

  // Three pairs, two of which are of one concept: each other's partners, both alike.
  const auto place = [&](std::string_view sense, const modality::ImageFeatures& features) {
    return model->joint().place(sense, pooled(features)).to_floats();
  };
  const media::Image* cat = &batch.images[0].image;
  std::vector<std::vector<float>> media = {place("image", model->encode(modality::pack_images({&cat, 1}, DType::f32)))};
  for (const size_t i : {0, 1}) {
    const modality::Signal* pointer = &batch.recordings[i].signal;
    media.push_back(
        place("audio", model->encode(model->sense(modality::sense_kind("audio")), {&pointer, 1}, DType::f32)));
  }
  std::vector<std::vector<float>> texts;
  for (const char* phrase : {"a cat", "dog", "cat"})
    texts.push_back(
        model->joint().place_texts(model->decoder(), make_queries({model->tokenizer().encode(phrase)})).to_floats());
  const std::vector<int> groups = {0, 1, 0};
  const double scale = std::exp(model->joint().log_scale().item());
  const auto cosine = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t c = 0; c < a.size(); ++c) sum += static_cast<double>(a[c]) * b[c];
    return sum;
  };
  const auto direction = [&](const auto& from, const auto& to) {
    double sum = 0;
    for (size_t i = 0; i < 3; ++i) {
      double all = 0, own = 0;
      int partners = 0;
      for (size_t k = 0; k < 3; ++k) all += std::exp(scale * cosine(from[i], to[k]));
      for (size_t k = 0; k < 3; ++k) {
        if (groups[k] != groups[i]) continue;
        own += std::log(all) - scale * cosine(from[i], to[k]);
        ++partners;
      }
      sum += own / partners;
    }
    return sum / 3;
  };
  EXPECT_NEAR(loss, (direction(media, texts) + direction(texts, media)) / 2, 1e-4);
}

TEST(Objectives, AreWeightedBesideTheOthers) {
  auto model = tiny_model(1, joint_config());
  LossWeights weights{.label = 1, .detection = 0, .box = 0, .language = 0.5f};
  weights.masked_text = 2;
  weights.masked_patches = 0.25f;
  weights.frame_order = 3;
  weights.contrastive = 0.125f;
  const ObjectiveHeads heads(model->store(), model->config(), weights);
  TrainingBatch batch;
  batch.images.push_back({.image = tiny_image(1),
                          .label = 1,
                          .objects = {},
                          .unknown_objects = {},
                          .hidden = {1, 0, 0, 0},
                          .called = {model->tokenizer().encode("cat"), 0}});
  batch.recordings.push_back(window_of(tiny_sound(1, 20)));
  batch.recordings[0].called = {model->tokenizer().encode("dog"), 1};
  batch.recordings.push_back(window_of(tiny_film(1, 3)));
  batch.recordings[1].order = {3, 0, 7, 1, 2, 6, 4, 5};
  for (auto* sequences : {&batch.sequences, &batch.masked}) {
    TokenSequence& sequence = sequences->emplace_back();
    model->prompt().begin(sequence);
    model->prompt().text(sequence, sequences == &batch.masked ? "three dogs" : "two cats", 1.0f);
  }
  const BatchLosses losses = training_loss(*model, batch, weights, DType::f32, &heads);
  EXPECT_NEAR(losses.total.item(),
              losses.label + 0.5 * losses.language + 2 * losses.masked_text + 0.25 * losses.masked_patches +
                  3 * losses.frame_order + 0.125 * losses.contrastive,
              1e-4);
  EXPECT_NE(losses.language, losses.masked_text);
  backward(losses.total);
  // The eyes do not learn from films; kinks of the convolutions' ReLU are another test's affair.
  model->store().set_trainable({"image.*", "senses.*.encoder.stem*", "senses.*.encoder.stages*"}, false);
  expect_slopes(model->store(), [&] {
    const NoGrad no_grad;
    return static_cast<double>(training_loss(*model, batch, weights, DType::f32, &heads).total.item());
  });
}

TEST(Objectives, TheirHeadsAreNoPartOfASavedModel) {
  auto model = tiny_model(1, tiny_senses_config());
  LossWeights weights;
  weights.masked_patches = weights.frame_order = 1;
  const ObjectiveHeads heads(model->store(), model->config(), weights);
  EXPECT_NO_THROW((void)model->store().find("objectives.audio.patches.weight"));
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "objectives";
  save_model(folder, *model, tiny_tokenizer_json(), DType::f32);
  EXPECT_NO_THROW((void)SensoriumModel::load(folder));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sensorium::models
