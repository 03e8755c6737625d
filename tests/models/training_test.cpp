#include "models/sensorium/training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/gradient_checks.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

TokenSequence question_about(const SensoriumModel& model, int picture, int64_t tokens, const std::string& answer) {
  const PromptWriter& writer = model.prompt();
  TokenSequence sequence;
  writer.begin(sequence);
  writer.begin_turn(sequence, "user");
  writer.image(sequence, picture, tokens);
  writer.evidence(sequence, {.labels = {"dog"}, .objects = {{"head", 1, {0.1f, 0.2f, 0.6f, 0.9f}}}});
  writer.text(sequence, "how many?");
  writer.end_turn(sequence);
  writer.begin_turn(sequence, "assistant");
  writer.text(sequence, answer, 1.0f);
  writer.end_turn(sequence, 1.0f);
  return sequence;
}

// Two pictures with labels, boxes and a question each.
TrainingBatch tiny_batch(const SensoriumModel& model) {
  TrainingBatch batch;
  batch.images.push_back({.image = tiny_image(1, 48, 32),
                          .label = 1,
                          .boxes_known = true,
                          .objects = {{0, {4, 4, 20, 22}}, {1, {24, 8, 44, 30}}},
                          .unknown_objects = {}});
  batch.images.push_back({.image = tiny_image(2, 32, 40),
                          .label = 2,
                          .boxes_known = true,
                          .objects = {{1, {2, 12, 30, 36}}},
                          .unknown_objects = {}});
  batch.sequences.push_back(question_about(model, 0, model.image_token_count(48, 32), "three dogs"));
  batch.sequences.push_back(question_about(model, 1, model.image_token_count(32, 40), "two"));
  return batch;
}

double loss_of(const SensoriumModel& model, const TrainingBatch& batch, const LossWeights& weights = {}) {
  const NoGrad no_grad;
  return training_loss(model, batch, weights, DType::f32).total.item();
}

TEST(TrainingLoss, AGradientReachesEveryParameter) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    const auto model = tiny_model();
    backward(training_loss(*model, tiny_batch(*model), {}, compute).total);
    expect_every_gradient(model->store());
  }
}

TEST(TrainingLoss, FrozenParametersGetNoGradient) {
  const auto model = tiny_model();
  model->store().set_trainable({"*"}, false);
  model->store().set_trainable({"decoder.*"}, true);
  backward(training_loss(*model, tiny_batch(*model), {}, DType::f32).total);
  for (const nn::Parameter& parameter : model->store().parameters()) {
    EXPECT_EQ(parameter.value.grad().defined(), parameter.name.starts_with("decoder.")) << parameter.name;
  }
}

TEST(TrainingLoss, GradientsAreSlopesOfTheLoss) {
  const auto model = tiny_model();
  const TrainingBatch batch = tiny_batch(*model);
  backward(training_loss(*model, batch, {}, DType::f32).total);
  expect_slopes(model->store(), [&] { return loss_of(*model, batch); });
}

TEST(TrainingLoss, TotalIsTheWeightedSumOfItsParts) {
  const auto model = tiny_model();
  const TrainingBatch batch = tiny_batch(*model);
  const LossWeights weights{.label = 0.5f, .detection = 2, .box = 3, .language = 0.25f};
  const NoGrad no_grad;
  const BatchLosses losses = training_loss(*model, batch, weights, DType::f32);
  EXPECT_NEAR(losses.total.item(), 0.5 * losses.label + 2 * losses.center + 2 * 3 * losses.box + 0.25 * losses.language,
              1e-4);
  EXPECT_EQ(losses.text_tokens,
            static_cast<int64_t>(batch.sequences[0].tokens.size() + batch.sequences[1].tokens.size()));
  const BatchLosses eyes = training_loss(*model, batch, {.language = 0}, DType::f32);
  EXPECT_TRUE(std::isnan(eyes.language));
  EXPECT_EQ(eyes.text_tokens, 0);
  EXPECT_NEAR(eyes.label, losses.label, 1e-6);
}

TEST(TrainingLoss, LanguageIsTheMeanOverAnswerTokensOnly) {
  const auto model = tiny_model();
  const TrainingBatch batch = tiny_batch(*model);
  const NoGrad no_grad;
  double sum = 0;
  int count = 0;
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    TokenSequence sequence = batch.sequences[i];
    sequence.images = {0};
    // The pictures have their prepared size already, so perceive() sees what the loss sees.
    const Tensor image_tokens_TC = model->perceive(batch.images[i].image, DType::f32).image_tokens_TC;
    ops::Sequences packed;
    const TokenSequence* pointer = &sequence;
    const Tensor x_TC = model->embed({&pointer, 1}, image_tokens_TC, std::vector<int64_t>{0, image_tokens_TC.dim(0)},
                                     DType::f32, packed);
    const Tensor logits_TV = model->decoder().logits(model->decoder()(x_TC, packed));
    const int64_t vocabulary = logits_TV.dim(1);
    for (size_t t = 1; t < sequence.tokens.size(); ++t) {
      if (sequence.weights[t] == 0) continue;
      const float* row = logits_TV.data<float>() + (static_cast<int64_t>(t) - 1) * vocabulary;
      double total = 0;
      for (int64_t v = 0; v < vocabulary; ++v) total += std::exp(static_cast<double>(row[v]));
      sum += std::log(total) - row[sequence.tokens[t]];
      ++count;
    }
  }
  EXPECT_NEAR(training_loss(*model, batch, {}, DType::f32).language, sum / count, 1e-4);
}

TEST(TrainingLoss, UnmarkedPicturesAndKindsDoNotTeachTheDetector) {
  const auto model = tiny_model();
  TrainingBatch batch = tiny_batch(*model);
  const LossWeights weights{.label = 0, .language = 0};
  model->store().find("detector.bias").value.data<float>()[0] = 0;  // scores near 0.5, so that empty cells count
  const double marked = loss_of(*model, batch, weights);
  // A third picture without marks changes nothing.
  batch.images.push_back(
      {.image = tiny_image(3), .label = -1, .boxes_known = false, .objects = {}, .unknown_objects = {}});
  EXPECT_NEAR(loss_of(*model, batch, weights), marked, 1e-5);
  batch.images[2].boxes_known = true;  // now it says that there is nothing
  EXPECT_GT(loss_of(*model, batch, weights), marked + 0.1);
  batch.images[2].unknown_objects = {0, 1};
  EXPECT_NEAR(loss_of(*model, batch, weights), marked, 1e-5);
}

TEST(TrainingLoss, TextAloneNeedsNoPicture) {
  const auto model = tiny_model();
  TrainingBatch batch;
  TokenSequence sequence;
  model->prompt().begin(sequence);
  model->prompt().text(sequence, "three dogs", 1.0f);
  batch.sequences.push_back(sequence);
  const BatchLosses losses = training_loss(*model, batch, {}, DType::f32);
  EXPECT_TRUE(std::isnan(losses.label) && std::isnan(losses.center) && std::isnan(losses.box));
  EXPECT_NEAR(losses.language, std::log(1344.0), 0.5);  // a random model knows nothing
  backward(losses.total);
  EXPECT_TRUE(model->store().find("decoder.embedding.weight").value.grad().defined());
}

TEST(TrainingLoss, ABatchThatTeachesNothingIsAnError) {
  const auto model = tiny_model();
  EXPECT_EQ(error_of([&] { training_loss(*model, {}, {}, DType::f32); }).kind(), ErrorKind::usage);
  TrainingBatch batch;
  batch.images.push_back(
      {.image = tiny_image(1), .label = -1, .boxes_known = false, .objects = {}, .unknown_objects = {}});
  EXPECT_EQ(error_of([&] { training_loss(*model, batch, {}, DType::f32); }).kind(), ErrorKind::usage);
}

TEST(TrainingLoss, ActivationCheckpointingSavesMemoryAndKeepsTheGradients) {
  std::vector<float> grads[2];
  size_t kept[2];
  for (const bool on : {false, true}) {
    const auto model = tiny_model();
    model->set_checkpointing(on);
    const TrainingBatch batch = tiny_batch(*model);
    const size_t before = tensor_bytes_in_use();
    const Tensor loss = training_loss(*model, batch, {}, DType::f32).total;
    kept[on] = tensor_bytes_in_use() - before;  // what waits for the backward pass
    backward(loss);
    for (const nn::Parameter& parameter : model->store().parameters()) {
      const std::vector<float> g = parameter.value.grad().to_floats();
      grads[on].insert(grads[on].end(), g.begin(), g.end());
    }
  }
  // The gradients of what several readers share are summed in another order.
  ASSERT_EQ(grads[0].size(), grads[1].size());
  for (size_t i = 0; i < grads[0].size(); ++i) ASSERT_NEAR(grads[1][i], grads[0][i], 1e-5) << i;
  EXPECT_LT(kept[1], kept[0] * 3 / 4);
}

}  // namespace
}  // namespace sensorium::models
