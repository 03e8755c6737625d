// The ways in which the decoder reads pictures and recordings: each learns, and answers with a cache what it answers without.
// Legend: T rows, C channels.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/decoder/session.h"
#include "models/gradient_checks.h"
#include "models/sensorium/chat.h"
#include "models/sensorium/training.h"
#include "models/tiny_senses.h"

namespace sensorium::models {
namespace {

SensoriumConfig config_of(FusionKind kind) {
  SensoriumConfig config = tiny_senses_config();
  config.decoder.context = 256;
  config.fusion = {.kind = kind, .tokens = 3, .layers = 2, .heads = 2, .every = 2};
  if (kind == FusionKind::cross_attention) config.decoder.cross_every = config.fusion.every;
  return config;
}

// New cross-attention layers change nothing; here they shall.
void open_gates(SensoriumModel& model) {
  Rng rng(9);
  for (nn::Parameter& parameter : model.store().parameters()) {
    if (parameter.name.find(".gate") == std::string::npos) continue;
    for (float& value : parameter.value.span<float>()) value = static_cast<float>(rng.uniform(0.4, 0.9));
  }
}

std::unique_ptr<SensoriumModel> model_of(FusionKind kind) {
  auto model = tiny_model(3, config_of(kind));
  open_gates(*model);
  return model;
}

class Fusion : public ::testing::TestWithParam<FusionKind> {};

std::string name_of(const ::testing::TestParamInfo<FusionKind>& info) {
  return info.param == FusionKind::projector   ? "projector"
         : info.param == FusionKind::resampler ? "resampler"
                                               : "cross_attention";
}
INSTANTIATE_TEST_SUITE_P(Kinds, Fusion,
                         ::testing::Values(FusionKind::projector, FusionKind::resampler, FusionKind::cross_attention),
                         name_of);

// Questions about two pictures of different sizes, about a sound and a picture, and one about nothing.
TrainingBatch batch_of(const SensoriumModel& model) {
  TrainingBatch batch;
  batch.images.push_back({.image = tiny_image(1, 64, 32), .label = 1, .objects = {}, .unknown_objects = {}});
  batch.images.push_back({.image = tiny_image(2, 32, 48), .label = 2, .objects = {}, .unknown_objects = {}});
  const modality::Recording sound = tiny_sound(1, 20, 100);
  batch.recordings.push_back({.sense = sound.sense, .signal = signals_of(sound)[0], .label = 0, .facts = {}});
  const PromptWriter& writer = model.prompt();
  const auto ask = [&](const std::vector<int>& percepts, const std::string& answer) {
    TokenSequence& sequence = batch.sequences.emplace_back();
    writer.begin(sequence);
    writer.begin_turn(sequence, "user");
    for (const int percept : percepts) {
      if (percept == 2) {
        writer.recording(sequence, *sound.sense, 2,
                         model.places(model.sense(*sound.sense).token_count(batch.recordings[0].signal)));
      } else {
        const media::Image& image = batch.images[static_cast<size_t>(percept)].image;
        writer.image(sequence, percept, model.places(model.image_token_count(image.width, image.height)));
      }
      writer.text(sequence, "and");
    }
    writer.end_turn(sequence);
    writer.begin_turn(sequence, "assistant");
    writer.text(sequence, answer, 1.0f);
    writer.end_turn(sequence, 1.0f);
  };
  ask({0}, "three dogs");
  ask({2, 1}, "two");
  ask({}, "cats");
  return batch;
}

const LossWeights kLanguage{.label = 0, .detection = 0};

TEST_P(Fusion, EverySequenceReadsItsOwnMedia) {
  const NoGrad no_grad;
  const auto model = model_of(GetParam());
  const TrainingBatch batch = batch_of(*model);
  double sum = 0, tokens = 0;
  for (const TokenSequence& sequence : batch.sequences) {
    TrainingBatch alone = batch;
    alone.sequences = {sequence};
    const double weights = static_cast<double>(std::ranges::count(sequence.weights, 1.0f));
    sum += weights * training_loss(*model, alone, kLanguage, DType::f32).language;
    tokens += weights;
  }
  EXPECT_NEAR(training_loss(*model, batch, kLanguage, DType::f32).language, sum / tokens, 1e-5);
}

TEST_P(Fusion, AGradientReachesEveryParameter) {
  for (const bool checkpointing : {false, true}) {
    for (const DType compute : {DType::f32, DType::bf16}) {
      const auto model = model_of(GetParam());
      model->set_checkpointing(checkpointing);
      model->store().set_trainable({"*"}, false);
      model->store().set_trainable(
          {"image.*", "projector.*", "decoder.*", "senses.audio.encoder.*", "senses.audio.projector.*"}, true);
      backward(training_loss(*model, batch_of(*model), kLanguage, compute).total);
      expect_every_gradient(model->store());
    }
  }
}

TEST_P(Fusion, GradientsAreSlopesOfTheLoss) {
  const auto model = model_of(GetParam());
  const TrainingBatch batch = batch_of(*model);
  model->store().set_trainable({"*"}, false);
  model->store().set_trainable({"projector.*", "decoder.*", "senses.audio.projector.*"}, true);
  backward(training_loss(*model, batch, kLanguage, DType::f32).total);
  expect_slopes(model->store(), [&] {
    const NoGrad no_grad;
    return static_cast<double>(training_loss(*model, batch, kLanguage, DType::f32).total.item());
  });
}

std::vector<ChatMessage> question(uint64_t seed = 1) {
  return {{"user",
           {{.text = "is this"},
            {.image = std::make_shared<const media::Image>(tiny_image(seed, 64, 32))},
            {.text = "the animal"},
            {.recording = std::make_shared<const modality::Recording>(tiny_sound(seed, 20, 100))},
            {.text = "that you hear?"}}}};
}

double difference(std::span<const float> a, std::span<const float> b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}
double spread(std::span<const float> values) {
  const auto [low, high] = std::ranges::minmax(values);
  return static_cast<double>(high) - low;
}

// The last logits of the whole sequence in one pass, without a cache.
std::vector<float> full_logits(const SensoriumModel& model, const std::vector<ChatMessage>& messages,
                               const std::vector<int32_t>& answer) {
  const NoGrad no_grad;
  TokenSequence sequence;
  std::vector<Tensor> tokens;
  std::vector<int64_t> offsets = {0};
  const PromptWriter& writer = model.prompt();
  writer.begin(sequence);
  writer.begin_turn(sequence, "user");
  for (const ChatPart& part : messages[0].parts) {
    if (!part.image && !part.recording) {
      writer.text(sequence, part.text);
      continue;
    }
    const Perception seen =
        part.image ? model.perceive(*part.image, DType::f32) : model.perceive(*part.recording, DType::f32);
    const int64_t rows = seen.image_tokens_TC.dim(0), places = model.places(rows);
    const int index = static_cast<int>(tokens.size());
    if (part.image) {
      writer.picture(sequence, part.picture, index, places);
    } else {
      writer.recording(sequence, *part.recording->sense, index, places);
    }
    writer.evidence(sequence, seen.evidence);
    tokens.push_back(seen.image_tokens_TC);
    offsets.push_back(offsets.back() + rows);
  }
  writer.end_turn(sequence);
  writer.begin_turn(sequence, "assistant");
  sequence.push(answer);
  const Tensor media_TC = ops::concat_rows(tokens);
  const TokenSequence* pointer = &sequence;
  ops::Sequences packed;
  const Tensor x_TC = model.embed({&pointer, 1}, media_TC, offsets, DType::f32, packed);
  const Tensor hidden_TC = model.decoder()(x_TC, packed, model.media_of({&pointer, 1}, media_TC, offsets));
  return model.decoder().logits(hidden_TC.slice(hidden_TC.dim(0) - 1, hidden_TC.dim(0))).to_floats();
}

TEST_P(Fusion, AnswersWithACacheAreThoseWithout) {
  const auto model = model_of(GetParam());
  const auto chat = wrap_sensorium(*model, DType::f32);
  chat->configure_cache({.dtype = DType::f32});
  const std::vector<ChatMessage> asked = question();
  const auto whole = chat->start(asked), parts = chat->begin(asked);
  while (!parts->read_prompt(16)) {
  }
  std::vector<int32_t> answer;
  for (const int32_t token : {1200, 1100, 1250}) {
    const std::vector<float> expected = full_logits(*model, asked, answer);
    EXPECT_LT(difference(whole->logits(), expected), 1e-4 * spread(expected)) << answer.size();
    EXPECT_LT(difference(parts->logits(), expected), 1e-4 * spread(expected)) << answer.size();
    answer.push_back(token);
    whole->accept(token);
    parts->accept(token);
  }
  // Another picture is another prompt, though the tokens are the same.
  EXPECT_GT(difference(chat->start(question(2))->logits(), chat->start(asked)->logits()), 1e-4);
}

TEST_P(Fusion, SessionsGoTogether) {
  const auto model = model_of(GetParam());
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<ChatMessage> text = {{"user", {{.text = "how many dogs?"}}}};
  std::vector<std::unique_ptr<ChatSession>> alone, together;
  for (const auto& messages : {question(1), text, question(2)}) {
    alone.push_back(chat->start(messages));
    together.push_back(chat->start(messages));
  }
  std::vector<ChatSession*> pointers;
  for (const auto& session : together) pointers.push_back(session.get());
  const std::vector<int32_t> tokens = {1200, 1100, 1250};
  for (int step = 0; step < 2; ++step) {
    together[0]->accept_all(pointers, tokens);
    for (size_t i = 0; i < alone.size(); ++i) {
      alone[i]->accept(tokens[i]);
      EXPECT_LT(difference(alone[i]->logits(), together[i]->logits()), 1e-3 * spread(alone[i]->logits())) << i;
    }
  }
  const std::vector<std::string> answers = {"three dogs", "a cat"};
  EXPECT_EQ(alone[0]->score(answers).size(), 2u);
}

TEST_P(Fusion, AFolderBringsItBack) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("fusion" + std::to_string(static_cast<int>(GetParam())));
  const auto model = model_of(GetParam());
  save_model(folder, *model, tiny_tokenizer_json(), DType::f32);
  const auto loaded = SensoriumModel::load(folder);
  EXPECT_EQ(loaded->config().fusion.kind, GetParam());
  EXPECT_EQ(full_logits(*loaded, question(), {}), full_logits(*model, question(), {}));
  std::filesystem::remove_all(folder);
}

TEST(FusionTokens, APictureTakesWhatItsKindSays) {
  const auto count = [](FusionKind kind, int width, int height) {
    const auto model = model_of(kind);
    const int64_t rows = model->image_token_count(width, height);
    const media::Image image = tiny_image(1, width, height);
    EXPECT_EQ(model->perceive(image, DType::f32).image_tokens_TC.dim(0), rows);
    return model->places(rows);
  };
  EXPECT_EQ(count(FusionKind::projector, 64, 32), 2);
  EXPECT_EQ(count(FusionKind::resampler, 64, 32), 3);
  EXPECT_EQ(count(FusionKind::resampler, 32, 32), 3);
  EXPECT_EQ(count(FusionKind::cross_attention, 64, 32), 1);
}

TEST(FusionGates, NewLayersChangeNothing) {
  const auto closed = tiny_model(3, config_of(FusionKind::cross_attention));
  const auto chat = wrap_sensorium(*closed, DType::f32);
  SensoriumConfig blind = config_of(FusionKind::cross_attention);
  blind.decoder.cross_every = 0;
  const auto without = tiny_model(3, blind);
  EXPECT_EQ(
      difference(chat->start(question())->logits(), wrap_sensorium(*without, DType::f32)->start(question())->logits()),
      0);
}

// Rows before the first medium read nothing, those behind the second one both; a sequence that goes on reads what stood before.
TEST(CrossPlan, RowsReadWhatStandsBeforeThem) {
  const std::vector<std::vector<MediumSpan>> media = {{{2, 10, 12}, {4, 5, 6}}, {}, {{3, 0, 1}}};
  const CrossPlan plan = plan_cross({{0, 5, 7, 8}}, std::vector<int64_t>{0, 0, 9}, media);
  const auto ints = [](const Tensor& t) {
    return std::vector<int32_t>(t.span<int32_t>().begin(), t.span<int32_t>().end());
  };
  EXPECT_EQ(ints(plan.rows_Q), (std::vector<int32_t>{2, 3, 4, 7}));
  EXPECT_EQ(ints(plan.back_T), (std::vector<int32_t>{-1, -1, 0, 1, 2, -1, -1, 3}));
  EXPECT_EQ(plan.queries.offsets, (std::vector<int32_t>{0, 2, 3, 4}));
  EXPECT_EQ(ints(plan.media_K), (std::vector<int32_t>{10, 11, 10, 11, 5, 0}));
  EXPECT_EQ(plan.media.offsets, (std::vector<int32_t>{0, 2, 5, 6}));
  EXPECT_TRUE(plan_cross({{0, 2}}, {}, std::vector<std::vector<MediumSpan>>{{}}).empty());
}

TEST(FusionConfigs, WrongOnesAreNamed) {
  const auto refused = [](const Json& fusion) {
    Json json = tiny_config().to_json();
    json["fusion"] = fusion;
    return error_of([&] { (void)SensoriumConfig::from_json(json, "config.json"); }).message();
  };
  expect_contains(refused({{"kind", "glue"}}), {"fusion", "glue", "projector, resampler, cross_attention"});
  expect_contains(refused({{"kind", "resampler"}, {"tokens", 0}}), {"fusion", "tokens"});
  expect_contains(refused({{"kind", "resampler"}, {"heads", 3}}), {"fusion", "16", "3 heads"});
  expect_contains(refused({{"kind", "projector"}, {"every", 2}}), {"fusion", "every"});
}

}  // namespace
}  // namespace sensorium::models
