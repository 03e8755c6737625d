#include "train/batch_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models/tiny_model.h"
#include "train/questions.h"

namespace sensorium::train {
namespace {

using models::TokenSequence;
using models::TrainingBatch;

class Batches : public ::testing::Test {
 protected:
  Batches() {
    models::SensoriumConfig config = models::tiny_config();
    config.decoder.context = 256;
    model_ = models::tiny_model(1, config);
    recipe_.predicted_evidence = 0;
    recipe_.find_questions = 0;
    recipe_.compute = DType::f32;
  }
  // A picture of 48 x 32 pixels with everything that can be known about one.
  static Lesson lesson() {
    Lesson lesson;
    lesson.image = std::make_shared<const media::Image>(models::tiny_image(3, 48, 32));
    lesson.label = "dog";
    lesson.boxes_known = true;
    lesson.objects = {{"helmet", {4, 8, 20, 24}}, {"head", {28, 2, 44, 30}}, {"helmet", {24, 4, 34, 12}}};
    lesson.exchanges = {{"which one?", "red"}};
    lesson.captions = {"three dogs", "two cats"};
    return lesson;
  }
  static SetRecipe set() { return {.path = "x", .objects = {"head", "helmet"}}; }
  TrainingBatch build(const std::vector<Lesson>& lessons, uint64_t seed = 1, const SetRecipe& set_ = set()) const {
    TrainingBatch batch;
    BatchBuilder builder(*model_, recipe_);
    Rng rng(seed);
    for (const Lesson& lesson : lessons) builder.add(batch, lesson, set_, rng);
    builder.finish(batch, rng);
    return batch;
  }
  TrainingBatch build_reading(const Lesson& lesson, uint64_t seed = 1) const {
    TrainingBatch batch;
    Rng rng(seed);
    BatchBuilder(*model_, recipe_).add_reading(batch, lesson, set(), rng);
    return batch;
  }
  TrainingBatch build_text(const Lesson& lesson, uint64_t seed = 1) const {
    TrainingBatch batch;
    Rng rng(seed);
    BatchBuilder(*model_, recipe_).add_text(batch, lesson, rng);
    return batch;
  }

  const models::SpecialTokens& special() const { return model_->prompt().special(); }
  std::string text_of(std::span<const int32_t> tokens) const { return model_->tokenizer().decode(tokens); }
  // Questions and answers of a sequence; checks on the way that exactly the answers and their ends are learned.
  std::vector<Exchange> exchanges_of(const TokenSequence& sequence) const {
    std::vector<Exchange> result;
    std::vector<int32_t> words;
    bool answering = false;
    EXPECT_EQ(sequence.tokens.size(), sequence.weights.size());
    for (size_t i = 0; i < sequence.tokens.size(); ++i) {
      const int32_t token = sequence.tokens[i];
      EXPECT_EQ(sequence.weights[i], answering ? 1.0f : 0.0f) << i;
      if (token == special().user || token == special().evidence) {
        words.clear();
      } else if (token == special().end) {
        if (answering) {
          result.back().answer = text_of(words);
        } else {
          if (!result.empty() && result.back().answer.empty()) result.pop_back();  // that was the evidence
          result.push_back({text_of(words), ""});
        }
        answering = false;
        words.clear();
      } else if (token == special().assistant) {
        answering = true;
      } else {
        words.push_back(token);
      }
    }
    return result;
  }
  // What stands between <|evidence|> and the next <|end|>.
  std::vector<int32_t> evidence_of(const TokenSequence& sequence) const {
    const auto begin = std::find(sequence.tokens.begin(), sequence.tokens.end(), special().evidence);
    return {begin + 1, std::find(begin, sequence.tokens.end(), special().end)};
  }

  std::unique_ptr<models::SensoriumModel> model_;
  Recipe recipe_;
};

TEST(DerivedExchanges, CaptionsAndCounts) {
  Lesson lesson;
  lesson.captions = {"one", "two", "three", "four"};
  lesson.objects = {{"head", {}}, {"hat", {}}, {"head", {}}};
  std::vector<Exchange> exchanges = derived_exchanges(lesson, {"head", "helmet"});
  ASSERT_EQ(exchanges.size(), 4u);  // nobody said that all boxes are there
  EXPECT_NE(exchanges[0].question, exchanges[1].question);
  EXPECT_EQ(exchanges[3].answer, "four");
  lesson.boxes_known = true;
  exchanges = derived_exchanges(lesson, {"head", "helmet"});
  ASSERT_EQ(exchanges.size(), 6u);
  EXPECT_EQ(exchanges[4].question, "How many heads are there?");
  EXPECT_EQ(exchanges[4].answer, "2");
  EXPECT_EQ(exchanges[5].question, "How many helmets are there?");
  EXPECT_EQ(exchanges[5].answer, "0");
}

TEST_F(Batches, TargetsOfTheHeads) {
  const TrainingBatch batch = build({lesson()});
  ASSERT_EQ(batch.images.size(), 1u);
  const models::TrainingImage& image = batch.images[0];
  EXPECT_EQ(image.image, *lesson().image);  // it has its prepared size already
  EXPECT_EQ(image.label, 1);                // of "cat", "dog", "red dog"
  EXPECT_TRUE(image.boxes_known);
  ASSERT_EQ(image.objects.size(), 3u);
  EXPECT_EQ(image.objects[0].object, 1);  // of "head", "helmet"
  EXPECT_EQ(image.objects[1].object, 0);
  EXPECT_NEAR(image.objects[0].box.x0, 4, 1e-4);
  EXPECT_NEAR(image.objects[0].box.y1, 24, 1e-4);
}

// A set that marks hard helmets says nothing about other helmets, but that there are no heads.
TEST_F(Batches, WhatIsOnlyMarkedAsSomethingMoreSpecialIsUnknown) {
  EXPECT_TRUE(build({lesson()}).images[0].unknown_objects.empty());
  const SetRecipe special{.path = "x", .objects = {"hard helmet"}};
  EXPECT_EQ(build({lesson()}, 1, special).images[0].unknown_objects, (std::vector<int>{1}));
}

TEST_F(Batches, BoxesFollowTheResizedPicture) {
  Lesson large = lesson();
  large.image = std::make_shared<const media::Image>(models::tiny_image(3, 160, 90));
  large.objects = {{"head", {80, 45, 160, 90}}};
  const models::TrainingImage image = build({large}).images[0];
  EXPECT_EQ(image.image.width, 85);
  EXPECT_EQ(image.image.height, 48);
  ASSERT_EQ(image.objects.size(), 1u);
  EXPECT_NEAR(image.objects[0].box.x0, 42.5, 1e-3);
  EXPECT_NEAR(image.objects[0].box.y0, 24, 1e-3);
  EXPECT_NEAR(image.objects[0].box.x1, 85, 1e-3);
}

TEST_F(Batches, UnknownLabelsAndKindsAreLeftOut) {
  Lesson other = lesson();
  other.label = "horse";
  other.objects.push_back({"saddle", {1, 1, 9, 9}});
  other.boxes_known = false;
  const models::TrainingImage image = build({other}).images[0];
  EXPECT_EQ(image.label, -1);
  EXPECT_EQ(image.objects.size(), 3u);
  EXPECT_FALSE(image.boxes_known);

  Lesson plain = lesson();
  plain.label = "";
  SetRecipe scenes = set();
  EXPECT_EQ(build({plain}, 1, scenes).images[0].label, -1);
  scenes.scene = "red dog";
  EXPECT_EQ(build({plain}, 1, scenes).images[0].label, 2);
  EXPECT_EQ(build({lesson()}, 1, scenes).images[0].label, 1);  // its own class goes first
}

TEST_F(Batches, AllQuestionsInRandomOrderAnswersAloneAreLearned) {
  recipe_.questions_per_image = 20;
  const std::vector<std::string> expected = {"2", "1", "red", "three dogs", "two cats"};
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const TrainingBatch batch = build({lesson()}, seed);
    ASSERT_EQ(batch.sequences.size(), 1u);
    std::vector<std::string> answers;
    std::string order;
    for (const Exchange& exchange : exchanges_of(batch.sequences[0])) {
      answers.push_back(exchange.answer);
      order += exchange.answer + "|";
      if (exchange.answer == "red") {
        EXPECT_EQ(exchange.question, "which one?");
      } else if (exchange.answer == "2") {
        EXPECT_EQ(exchange.question, "How many helmets are there?");
      }
    }
    orders.insert(order);
    EXPECT_TRUE(std::is_permutation(answers.begin(), answers.end(), expected.begin(), expected.end())) << order;
  }
  EXPECT_GT(orders.size(), 5u);
}

TEST_F(Batches, NoMoreQuestionsThanAsked) {
  recipe_.questions_per_image = 2;
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<Exchange> exchanges = exchanges_of(build({lesson()}, seed).sequences[0]);
    EXPECT_EQ(exchanges.size(), 2u);
    for (const Exchange& exchange : exchanges) seen.insert(exchange.answer);
  }
  EXPECT_EQ(seen.size(), 5u);  // in time all are asked
}

TEST_F(Batches, ALessonsOwnQuestionsMostlyGoFirstAndNoneTwice) {
  recipe_.questions_per_image = 2;
  Lesson asked = lesson();
  asked.exchanges = {{"which one?", "red"}, {"which one?", "red"}, {"what else?", "blue"}};
  int own = 0;
  constexpr int kSeeds = 200;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const std::vector<Exchange> exchanges = exchanges_of(build({asked}, seed).sequences[0]);
    ASSERT_EQ(exchanges.size(), 2u);
    EXPECT_NE(exchanges[0].question, exchanges[1].question);
    for (const Exchange& exchange : exchanges) own += exchange.answer == "red" || exchange.answer == "blue" ? 1 : 0;
  }
  EXPECT_GT(own, 2 * kSeeds * 70 / 100);
  EXPECT_LT(own, 2 * kSeeds * 90 / 100);  // the others have their turn
}

// "Where are the helmets?" is answered by the evidence's own boxes, in its order: what the decoder reads it can repeat.
TEST_F(Batches, WhereThingsAreIsAnsweredByTheEvidence) {
  recipe_.questions_per_image = 2;
  recipe_.find_questions = 1;
  std::set<std::string> kinds;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Lesson asked = lesson();
    if (seed % 4 == 0) asked.objects.pop_back(), asked.objects.pop_back();  // one helmet, no head
    const TokenSequence sequence = build({asked}, seed).sequences[0];
    const models::Answer evidence = models::read_answer(evidence_of(sequence), model_->tokenizer(), special());
    int found = 0, questions = 0;
    for (auto turn = sequence.tokens.begin(); turn != sequence.tokens.end(); ++turn) {
      if (*turn != special().assistant) continue;
      ++questions;
      const auto end = std::find(turn, sequence.tokens.end(), special().end);
      const std::vector<int32_t> tokens(turn + 1, end);
      const models::Answer answer = models::read_answer(tokens, model_->tokenizer(), special());
      if (answer.boxes.empty() && answer.text != "none") continue;
      ++found;
      const std::string kind = answer.boxes.empty() ? "head" : answer.boxes[0].label;
      kinds.insert(answer.boxes.empty() ? "none" : kind);
      std::vector<models::Box> expected;
      for (const models::FoundObject& object : evidence.boxes) {
        if (object.label == kind) expected.push_back(object.box);
      }
      ASSERT_EQ(answer.boxes.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(models::intersection_over_union(answer.boxes[i].box, expected[i]), 1.0f);
      }
      for (auto token = turn + 1; token != end; ++token) {
        const bool location = *token >= special().location0 && *token < special().location0 + models::kLocationBins;
        const auto at = static_cast<size_t>(token - sequence.tokens.begin());
        EXPECT_EQ(sequence.weights[at], location ? 0.25f : 1.0f);
      }
    }
    EXPECT_EQ(found, 1);
    EXPECT_EQ(questions, 2);
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"head", "helmet", "none"}));
}

TEST_F(Batches, ThePictureStandsOnceBeforeTheFirstQuestion) {
  recipe_.questions_per_image = 20;
  const TokenSequence sequence = build({lesson()}).sequences[0];
  EXPECT_EQ(sequence.tokens[0], special().bos);
  EXPECT_EQ(sequence.tokens[1], special().user);
  const int64_t places = std::count(sequence.tokens.begin(), sequence.tokens.end(), special().image);
  EXPECT_EQ(places, model_->image_token_count(48, 32));
  for (int64_t i = 0; i < places; ++i) EXPECT_EQ(sequence.tokens[static_cast<size_t>(2 + i)], special().image);
  EXPECT_EQ(std::count(sequence.tokens.begin(), sequence.tokens.end(), special().evidence), 1);
  EXPECT_EQ(sequence.images, (std::vector<int>{0}));
}

TEST_F(Batches, EvidenceFromTheTruthIsNearlyTheTruth) {
  int moved = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const models::Answer evidence =
        models::read_answer(evidence_of(build({lesson()}, seed).sequences[0]), model_->tokenizer(), special());
    EXPECT_EQ(evidence.text.substr(0, 3), "dog");
    ASSERT_EQ(evidence.boxes.size(), 3u);
    EXPECT_NE(evidence.text.find("; 1 head"), std::string::npos) << evidence.text;
    EXPECT_NE(evidence.text.find("; 2 helmet"), std::string::npos) << evidence.text;
    // From left to right: a helmet, then (their middles are near) the other helmet and the head.
    EXPECT_EQ(evidence.boxes[0].label, "helmet");
    const auto found =
        std::find_if(evidence.boxes.begin(), evidence.boxes.end(), [](const auto& b) { return b.label == "head"; });
    ASSERT_NE(found, evidence.boxes.end());
    const models::Box head = found->box, truth{28.0f / 48, 2.0f / 32, 44.0f / 48, 30.0f / 32};
    EXPECT_GT(models::intersection_over_union(head, truth), 0.7f);
    EXPECT_GT(models::intersection_over_union(evidence.boxes[0].box, {4.0f / 48, 0.25f, 20.0f / 48, 0.75f}), 0.7f);
    moved += std::abs(head.x0 - truth.x0) > 0.001f ? 1 : 0;
  }
  EXPECT_GE(moved, 15);
}

TEST_F(Batches, PredictedEvidenceIsWhatTheHeadsSee) {
  recipe_.predicted_evidence = 1;
  model_->store().find("detector.bias").value.data<float>()[0] = 0;
  model_->mutable_config().heads.thresholds = {0.5, 0.55};
  const TrainingBatch batch = build({lesson(), lesson()});
  ASSERT_EQ(batch.sequences.size(), 2u);
  const models::Evidence seen = model_->perceive(batch.images[0].image, DType::f32).evidence;
  TokenSequence expected;
  model_->prompt().evidence(expected, seen);
  EXPECT_FALSE(seen.objects.empty());
  for (const TokenSequence& sequence : batch.sequences) EXPECT_EQ(evidence_of(sequence), evidence_of(expected));
}

TEST_F(Batches, CountsAreNotAskedForWhenAnObjectLeftThePicture) {
  recipe_.questions_per_image = 20;
  Lesson cut = lesson();
  cut.objects[1].box = {100, 100, 120, 120};
  const TrainingBatch batch = build({cut});
  EXPECT_EQ(batch.images[0].objects.size(), 2u);
  std::vector<std::string> answers;
  for (const Exchange& exchange : exchanges_of(batch.sequences[0])) answers.push_back(exchange.answer);
  std::sort(answers.begin(), answers.end());
  EXPECT_EQ(answers, (std::vector<std::string>{"three dogs", "two cats"}));
  cut.captions.clear();
  EXPECT_TRUE(build({cut}).sequences.empty());
}

TEST_F(Batches, SequencesNameTheirPictures) {
  Lesson silent = lesson();
  silent.captions.clear();
  silent.exchanges.clear();
  silent.boxes_known = false;  // nothing to ask
  TrainingBatch batch = build({lesson(), silent, lesson()});
  ASSERT_EQ(batch.images.size(), 3u);
  ASSERT_EQ(batch.sequences.size(), 2u);
  EXPECT_EQ(batch.sequences[0].images, (std::vector<int>{0}));
  EXPECT_EQ(batch.sequences[1].images, (std::vector<int>{2}));
  // A second round goes on counting.
  BatchBuilder builder(*model_, recipe_);
  Rng rng(3);
  builder.add(batch, lesson(), set(), rng);
  builder.finish(batch, rng);
  builder.finish(batch, rng);  // nothing new
  ASSERT_EQ(batch.sequences.size(), 3u);
  EXPECT_EQ(batch.sequences[2].images, (std::vector<int>{3}));
  const models::BatchLosses losses = models::training_loss(*model_, batch, recipe_.losses, DType::f32);
  EXPECT_TRUE(std::isfinite(losses.total.item()) && std::isfinite(losses.language));
}

TEST_F(Batches, WithoutALanguageLossThereAreNoSequences) {
  recipe_.losses.language = 0;
  const TrainingBatch batch = build({lesson()});
  EXPECT_EQ(batch.images.size(), 1u);
  EXPECT_TRUE(batch.sequences.empty());
}

TEST_F(Batches, ConversationsBeyondTheContextAreLeftOut) {
  Lesson lengthy = lesson();
  lengthy.captions = {std::string(300, '#')};
  recipe_.questions_per_image = 20;
  EXPECT_TRUE(build({lengthy}).sequences.empty());
}

TEST_F(Batches, AReadingIsEvidenceWithoutAPicture) {
  recipe_.questions_per_image = 20;
  std::set<std::string> first_labels, all_labels;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const TrainingBatch batch = build_reading(lesson(), seed);
    EXPECT_TRUE(batch.images.empty());
    ASSERT_EQ(batch.sequences.size(), 1u);
    const TokenSequence& sequence = batch.sequences[0];
    EXPECT_TRUE(sequence.images.empty());
    EXPECT_EQ(std::count(sequence.tokens.begin(), sequence.tokens.end(), special().image), 0);
    EXPECT_EQ(sequence.tokens[2], special().evidence);
    EXPECT_EQ(exchanges_of(sequence).size(), 5u);
    const std::string told = text_of(evidence_of(sequence));
    const std::string labels = told.substr(0, told.find(';'));
    first_labels.insert(labels.substr(0, labels.find(',')));
    all_labels.insert(labels);
  }
  EXPECT_EQ(first_labels, (std::set<std::string>{"dog"}));  // the right one stands first
  EXPECT_GE(all_labels.size(), 3u);                         // others may follow
  const models::BatchLosses losses =
      models::training_loss(*model_, build_reading(lesson()), recipe_.losses, DType::f32);
  EXPECT_TRUE(std::isfinite(losses.total.item()));
  EXPECT_GT(losses.language, 0);
  EXPECT_TRUE(std::isnan(losses.label));
}

TEST_F(Batches, AReadingOfAnUnmarkedPictureTellsWhatTheHeadsFind) {
  model_->store().find("detector.bias").value.data<float>()[0] = 0;
  model_->mutable_config().heads.thresholds = {0.5, 0.55};
  Lesson unmarked = lesson();
  unmarked.boxes_known = false;
  TokenSequence expected;
  const models::Evidence found = model_->perceive(*unmarked.image, DType::f32).evidence;
  EXPECT_FALSE(found.objects.empty());
  model_->prompt().evidence(expected, found);

  TrainingBatch batch;
  BatchBuilder builder(*model_, recipe_);
  Rng rng(1);
  builder.add_reading(batch, unmarked, set(), rng);
  EXPECT_EQ(evidence_of(batch.sequences.at(0)), evidence_of(expected));
  // While the eyes learn, the next look may find something else; frozen eyes are asked once.
  const auto change = [&](float bias) { model_->store().find("detector.bias").value.data<float>()[0] = bias; };
  change(-100);
  builder.add_reading(batch, unmarked, set(), rng);
  EXPECT_NE(evidence_of(batch.sequences.at(1)), evidence_of(expected));
  model_->store().set_trainable({"image.*", "classifier.*", "detector.*"}, false);
  builder.add_reading(batch, unmarked, set(), rng);
  change(0);
  builder.add_reading(batch, unmarked, set(), rng);
  EXPECT_EQ(evidence_of(batch.sequences.at(3)), evidence_of(batch.sequences.at(2)));
  // Another picture at the same place is another picture.
  unmarked.image = std::make_shared<const media::Image>(models::tiny_image(9, 40, 40));
  builder.add_reading(batch, unmarked, set(), rng);
  TokenSequence other;
  model_->prompt().evidence(other, model_->perceive(*unmarked.image, DType::f32).evidence);
  EXPECT_EQ(evidence_of(batch.sequences.at(4)), evidence_of(other));
}

TEST_F(Batches, AReadingNeedsAPicture) {
  Lesson words;
  words.where = "words.jsonl:3";
  words.exchanges = {{"how many?", "three"}};
  TrainingBatch batch;
  Rng rng(1);
  try {
    BatchBuilder(*model_, recipe_).add_reading(batch, words, set(), rng);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("words.jsonl:3"), std::string::npos) << error.message();
  }
}

TEST_F(Batches, ATextNeedsToHaveNoPicture) {
  Lesson picture = lesson();
  picture.where = "pictures.jsonl:2";
  try {
    build_text(picture);
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("pictures.jsonl:2"), std::string::npos) << error.message();
  }
}

TEST_F(Batches, ALessonWithoutAPictureAmongPicturesIsAText) {
  Lesson words;
  words.exchanges = {{"how many?", "three"}};
  TrainingBatch batch = build({lesson(), words});
  EXPECT_EQ(batch.images.size(), 1u);
  ASSERT_EQ(batch.sequences.size(), 2u);
  EXPECT_EQ(batch.sequences[0].tokens, build_text(words).sequences.at(0).tokens);
  EXPECT_EQ(batch.sequences[1].images, (std::vector<int>{0}));
  const models::BatchLosses losses = models::training_loss(*model_, build({words}), recipe_.losses, DType::f32);
  EXPECT_GT(losses.language, 0);
  recipe_.losses.language = 0;
  EXPECT_TRUE(build({words}).sequences.empty());
}

// Pictures stand where they were said, each with its evidence; the system speaks first; the assistant's words are learned.
TEST_F(Batches, ConversationsAreLearnedAsTheyWereHeld) {
  models::SensoriumConfig config = models::tiny_config();
  config.decoder.context = 4096;
  model_ = models::tiny_model(1, config);
  model_->store().find("detector.bias").value.data<float>()[0] = 0;
  model_->mutable_config().heads.thresholds = {0.5, 0.55};
  const auto picture = [](uint64_t seed, int width, int height) {
    return std::make_shared<const media::Image>(models::tiny_image(seed, width, height));
  };
  Lesson chat;
  chat.turns = {{"system", {{"be brief", nullptr}}},
                {"user", {{"which is", nullptr}, {"", picture(3, 48, 32)}, {"or", nullptr}, {"", picture(4, 32, 48)}}},
                {"assistant", {{"red", nullptr}}},
                {"user", {{"", picture(5, 32, 32)}, {"how many?", nullptr}}},
                {"assistant", {{"three", nullptr}}}};
  const TrainingBatch batch = build({lesson(), chat, lesson()});
  ASSERT_EQ(batch.images.size(), 5u);
  EXPECT_EQ(batch.images[2].label, -1);
  EXPECT_FALSE(batch.images[2].boxes_known);
  ASSERT_EQ(batch.sequences.size(), 3u);
  EXPECT_EQ(batch.sequences[1].images, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(batch.sequences[2].images, (std::vector<int>{4}));

  const models::PromptWriter& writer = model_->prompt();
  TokenSequence expected;
  int next = 1;
  writer.begin(expected);
  for (const models::ChatMessage& turn : chat.turns) {
    const float weight = turn.role == "assistant" ? 1 : 0;
    writer.begin_turn(expected, turn.role);
    for (const models::ChatPart& part : turn.parts) {
      if (part.image) {
        const models::Perception seen = model_->perceive(*part.image, DType::f32);
        EXPECT_FALSE(seen.evidence.empty());
        writer.image(expected, next++, seen.image_tokens_TC.dim(0));
        writer.evidence(expected, seen.evidence);
      } else {
        writer.text(expected, part.text, weight);
      }
    }
    writer.end_turn(expected, weight);
  }
  EXPECT_EQ(batch.sequences[1].tokens, expected.tokens);
  EXPECT_EQ(batch.sequences[1].weights, expected.weights);
  // Packed: rows of every token, and no others.
  size_t tokens = 0;
  for (const TokenSequence& sequence : batch.sequences) tokens += sequence.tokens.size();
  const models::BatchLosses losses = models::training_loss(*model_, batch, recipe_.losses, DType::f32);
  EXPECT_EQ(losses.text_tokens, static_cast<int64_t>(tokens));
  EXPECT_TRUE(std::isfinite(losses.total.item()));
  // A reading of it is the same without the pictures.
  const TokenSequence reading = build_reading(chat).sequences.at(0);
  EXPECT_TRUE(reading.images.empty());
  std::erase(expected.tokens, special().image);
  EXPECT_EQ(reading.tokens, expected.tokens);
}

TEST_F(Batches, AConversationWithoutAnAnswerTeachesNothing) {
  Lesson chat;
  chat.turns = {{"user", {{"", lesson().image}, {"how many?", nullptr}}}};
  EXPECT_TRUE(build({chat}).sequences.empty());
}

TEST_F(Batches, WhatIsLongerThanTheContextIsCounted) {
  Lesson lengthy = lesson(), chat, text;
  lengthy.captions = {std::string(300, '#')};
  recipe_.questions_per_image = 20;
  chat.turns = {{"user", {{"", lesson().image}, {std::string(300, '#'), nullptr}}}, {"assistant", {{"yes", nullptr}}}};
  text.exchanges = {{std::string(300, '#'), "yes"}};
  TrainingBatch batch;
  BatchBuilder builder(*model_, recipe_);
  Rng rng(1);
  builder.add(batch, lengthy, set(), rng);
  builder.add(batch, chat, set(), rng);
  builder.add(batch, lesson(), set(), rng);
  builder.add_text(batch, text, rng);
  builder.add_reading(batch, lengthy, set(), rng);
  builder.finish(batch, rng);
  EXPECT_EQ(batch.sequences.size(), 1u);
  EXPECT_EQ(builder.fit().all, 5);
  EXPECT_EQ(builder.fit().too_long, 4);
}

TEST_F(Batches, RunningTextIsLearnedFromTheFirstWord) {
  Lesson text;
  text.text = "three dogs and two cats";
  const TrainingBatch batch = build_text(text);
  ASSERT_EQ(batch.sequences.size(), 1u);
  const TokenSequence& sequence = batch.sequences[0];
  EXPECT_EQ(sequence.tokens[0], special().bos);
  EXPECT_EQ(text_of(std::span(sequence.tokens).subspan(1)), text.text);
  EXPECT_EQ(sequence.weights[0], 0);
  for (size_t i = 1; i < sequence.weights.size(); ++i) EXPECT_EQ(sequence.weights[i], 1);
  EXPECT_TRUE(sequence.images.empty());
}

TEST_F(Batches, LongTextsAreReadInWindows) {
  Lesson text;
  for (char c = 33; c < 127; ++c) text.text += c;  // a token each, or nearly
  recipe_.text_tokens = 20;
  std::vector<int32_t> all = {special().bos};
  for (const int32_t token : model_->tokenizer().encode(text.text)) all.push_back(token);
  std::set<size_t> starts;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const TokenSequence sequence = build_text(text, seed).sequences.at(0);
    ASSERT_EQ(sequence.tokens.size(), 20u);
    ASSERT_EQ(sequence.weights.size(), 20u);
    const auto found = std::search(all.begin(), all.end(), sequence.tokens.begin(), sequence.tokens.end());
    ASSERT_NE(found, all.end());
    starts.insert(static_cast<size_t>(found - all.begin()));
  }
  EXPECT_GT(starts.size(), 10u);
  recipe_.text_tokens = 100000;  // the context is a limit, too
  text.text = std::string(1000, '#');
  EXPECT_EQ(build_text(text).sequences.at(0).tokens.size(), 256u);
}

TEST_F(Batches, TextConversationsAreCutAtTheirEnd) {
  Lesson chat;
  chat.exchanges = {{"how many?", "three"}, {"which?", "red"}};
  const TokenSequence whole = build_text(chat).sequences.at(0);
  const std::vector<Exchange> exchanges = exchanges_of(whole);
  ASSERT_EQ(exchanges.size(), 2u);
  EXPECT_EQ(exchanges[1].question, "which?");
  EXPECT_EQ(exchanges[1].answer, "red");
  recipe_.text_tokens = static_cast<int64_t>(whole.tokens.size()) - 3;
  const TokenSequence cut = build_text(chat).sequences.at(0);
  EXPECT_EQ(cut.tokens, std::vector<int32_t>(whole.tokens.begin(), whole.tokens.end() - 3));
  // Cut within the first question, there is nothing to learn.
  chat.exchanges = {{std::string(100, '#'), "three"}};
  recipe_.text_tokens = 50;
  EXPECT_TRUE(build_text(chat).sequences.empty());
  EXPECT_TRUE(build_text({}).sequences.empty());
}

}  // namespace
}  // namespace sensorium::train
