#include "train/self_supervision.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/sensorium/objectives.h"
#include "models/tiny_senses.h"
#include "train/optimizer.h"

namespace sensorium::train {
namespace {

TEST(HiddenSpans, AShareInSpansWithGapsBetween) {
  Rng rng(1);
  for (const size_t tokens : {2, 3, 5, 17, 100}) {
    for (const double share : {0.01, 0.15, 0.5, 0.99}) {
      for (const double mean : {1.0, 3.0, 50.0}) {
        const auto spans = hidden_spans(tokens, share, mean, rng);
        ASSERT_FALSE(spans.empty());
        size_t hidden = 0, before = 0;
        for (size_t i = 0; i < spans.size(); ++i) {
          EXPECT_LT(spans[i].first, spans[i].second);
          if (i > 0) {
            EXPECT_GT(spans[i].first, before);
          }
          before = spans[i].second;
          hidden += spans[i].second - spans[i].first;
        }
        EXPECT_LE(before, tokens);
        EXPECT_NEAR(static_cast<double>(hidden),
                    std::clamp(share * static_cast<double>(tokens), 1.0, static_cast<double>(tokens - 1)), 0.51);
      }
    }
  }
  EXPECT_EQ(hidden_spans(100, 0.3, 3, rng).size(), 10u);
  EXPECT_TRUE(hidden_spans(1, 0.5, 3, rng).empty());
}

// With the answer put into its gaps the text is whole again.
TEST(WriteMasked, TheAnswerFillsTheGaps) {
  const auto model = models::tiny_model();
  const models::SpecialTokens& special = model->prompt().special();
  const std::vector<int32_t> text = {1100, 1101, 1102, 1103, 1104, 1105};
  const std::vector<std::pair<size_t, size_t>> hidden = {{1, 3}, {5, 6}};
  models::TokenSequence sequence;
  model->prompt().begin_turn(sequence, "user");
  write_masked(sequence, text, hidden, model->prompt());
  EXPECT_EQ(sequence.tokens,
            (std::vector<int32_t>{special.user, 1100, special.pad, 1103, 1104, special.pad, special.end,
                                  special.assistant, 1101, 1102, special.pad, 1105, special.end}));
  EXPECT_EQ(sequence.weights, (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1}));
}

TEST(HiddenPatches, AreWhole) {
  Rng rng(1);
  for (int i = 0; i < 20; ++i) {
    // 3 x 4 tokens, of which the last row and column stand for parts of patches.
    const std::vector<uint8_t> hidden = hidden_patches(40, 56, 0.5, rng);
    ASSERT_EQ(hidden.size(), 12u);
    EXPECT_EQ(std::ranges::count(hidden, 1), 3);
    for (size_t cell = 0; cell < hidden.size(); ++cell) {
      if (cell >= 8 || cell % 4 == 3) {
        EXPECT_EQ(hidden[cell], 0) << cell;
      }
    }
  }
  EXPECT_TRUE(hidden_patches(15, 100, 0.5, rng).empty());
}

TEST(AskedOrder, HalfOfTheFilmsAreShuffled) {
  const auto signal = [](int speed) { return models::signals_of(models::tiny_film(1, speed))[0]; };
  Rng rng(1);
  int sorted = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<int> order = asked_order(signal(3), rng);
    ASSERT_EQ(order.size(), 8u);
    EXPECT_FALSE(std::ranges::is_sorted(order, std::greater()));
    sorted += std::ranges::is_sorted(order) ? 1 : 0;
    std::ranges::sort(order);
    for (int t = 0; t < 8; ++t) EXPECT_EQ(order[static_cast<size_t>(t)], t);
  }
  EXPECT_NEAR(sorted, 100, 30);
  EXPECT_TRUE(asked_order(signal(0), rng).empty()) << "nothing moves";
}

// A square that drives past, in order or shuffled, in films that were not trained on.
TEST(FrameOrder, TheLossFallsOnUnseenFilms) {
  constexpr models::LossWeights kOrder{.label = 0, .detection = 0, .box = 0, .language = 0, .frame_order = 1};
  const auto model = models::tiny_model(1, models::tiny_senses_config());
  const models::ObjectiveHeads heads(model->store(), model->config(), kOrder);
  const auto loss_of = [&](uint64_t seed, uint64_t films) {
    Rng rng(seed);
    models::TrainingBatch batch;
    for (uint64_t i = 0; i < films; ++i) {
      const modality::Recording film = models::tiny_film(1000 * seed + i, 5);
      batch.recordings.push_back({.sense = film.sense, .signal = models::signals_of(film)[0], .facts = {}});
      batch.recordings.back().order = asked_order(batch.recordings.back().signal, rng);
    }
    return models::training_loss(*model, batch, kOrder, DType::f32, &heads).total;
  };
  const auto unseen = [&] {
    const NoGrad no_grad;
    return loss_of(1, 32).item();
  };
  const float before = unseen();
  AdamW optimizer(model->store(), {.weight_decay = 0});
  for (uint64_t step = 0; step < 60; ++step) {
    backward(loss_of(2 + step, 8));
    optimizer.step(1e-2);
  }
  EXPECT_LT(unseen(), 0.7f * before);
}

}  // namespace
}  // namespace sensorium::train
