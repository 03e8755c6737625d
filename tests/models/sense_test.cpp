#include "models/sensorium/sense.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "models/sensorium/chat.h"
#include "models/sensorium/training.h"
#include "models/tiny_senses.h"

namespace sensorium::models {
namespace {

std::shared_ptr<const modality::Recording> shared(modality::Recording recording) {
  return std::make_shared<const modality::Recording>(std::move(recording));
}

std::vector<float> floats(const Tensor& tensor) { return tensor.to(DType::f32).to_floats(); }

TEST(SenseConfig, GoesThroughJson) {
  const SensoriumConfig config = tiny_senses_config();
  const Json json = Json::parse(config.to_json().dump());
  const SensoriumConfig read = SensoriumConfig::from_json(json, "config.json");
  ASSERT_EQ(read.senses.size(), modality::sense_kinds().size());
  EXPECT_EQ(read.senses[0].kind->name, "audio");
  EXPECT_EQ(read.senses[1].encoder->to_json().at("channels"), modality::kMotionChannels);
  EXPECT_EQ(read.to_json(), config.to_json());
  EXPECT_FALSE(tiny_config().to_json().contains("senses")) << "models without senses keep their file";

  Json wrong = json;
  wrong["senses"]["smell"] = wrong["senses"]["audio"];
  EXPECT_EQ(error_of([&] { SensoriumConfig::from_json(wrong, "c"); }).message(),
            "c: senses: this program has no sense \"smell\"");
  wrong = json;
  wrong["senses"]["imu"]["encoder"]["channels"] = 3;
  EXPECT_EQ(error_of([&] { SensoriumConfig::from_json(wrong, "c"); }).message(),
            "c: senses: imu: encoder: channels is 3, signals of this sense have 8");
  wrong = json;
  wrong["senses"]["imu"].erase("encoder");
  EXPECT_EQ(error_of([&] { SensoriumConfig::from_json(wrong, "c"); }).message(),
            "c: senses: imu: key \"encoder\" is missing (expected an object)");
}

TEST(Senses, AModelWithoutOneSaysWhichItHas) {
  const auto model = tiny_model();
  const Error error = error_of([&] { model->perceive(tiny_sound(1, 20)); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_EQ(error.message(), "this model has no sense of hearing, it was given a sound: it has image");
  const auto chat = wrap_sensorium(*model, DType::f32);
  const ChatPart part{.recording = shared(tiny_motion(1, 2))};
  const std::vector<std::string> labels = {"cat", "dog"};
  EXPECT_EQ(error_of([&] { (void)chat->classify_part(part, labels); }).message(),
            "this model has no sense of motion, it was given a recording of motion sensors: it has image");
}

TEST(Senses, ThePicturePartIsTheSameWithAndWithoutThem) {
  const auto without = tiny_model(), with = tiny_model(1, tiny_senses_config());
  for (const nn::Parameter& parameter : without->store().parameters())
    EXPECT_EQ(floats(parameter.value), floats(with->store().find(parameter.name).value)) << parameter.name;
  const media::Image image = tiny_image(5);
  EXPECT_EQ(floats(without->perceive(image, DType::f32).image_tokens_TC),
            floats(with->perceive(image, DType::f32).image_tokens_TC));
}

TEST(Senses, TokensAndEvidenceOfARecording) {
  const auto model = tiny_model(1, tiny_senses_config());
  for (const modality::Recording& recording :
       {tiny_sound(1, 20, 96), tiny_motion(2, 3), tiny_film(3, 4), tiny_room(2)}) {
    const Sense& sense = model->sense(*recording.sense);
    const Perception perception = model->perceive(recording, DType::f32);
    EXPECT_EQ(perception.image_tokens_TC.shape(),
              Shape({sense.token_count(signals_of(recording)[0]), model->config().decoder.dim}));
    EXPECT_GE(perception.evidence.labels.size(), 1u);
    EXPECT_TRUE(perception.evidence.objects.empty());
    // Two windows: twice the tokens, of each window its own.
    modality::Recording twice = recording;
    twice.windows.push_back(recording.windows[0]);
    const Perception longer = model->perceive(twice, DType::f32);
    EXPECT_EQ(longer.image_tokens_TC.dim(0), 2 * perception.image_tokens_TC.dim(0));
    EXPECT_EQ(longer.evidence.labels, perception.evidence.labels);
  }
}

TEST(Senses, ProbabilitiesAreTheMeanOverWindows) {
  const auto model = tiny_model(1, tiny_senses_config());
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<std::string> labels = {"cat", "dog", "helmet"};
  const modality::Recording low = tiny_sound(1, 5), high = tiny_sound(2, 50);
  modality::Recording both = low;
  both.windows.push_back(high.windows[0]);
  const auto of = [&](const modality::Recording& recording) {
    return chat->classify_part({.recording = shared(recording)}, labels);
  };
  const std::vector<float> p = of(low), q = of(high), mean = of(both);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0f), 1, 1e-5);
  EXPECT_NE(p, q);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(mean[i], (p[i] + q[i]) / 2, 1e-5);
}

TEST(Senses, ChatsMixPicturesAndRecordings) {
  SensoriumConfig config = tiny_senses_config();
  config.decoder.context = 256;
  const auto model = tiny_model(1, config);
  const auto chat = wrap_sensorium(*model, DType::f32);
  const ChatPart picture{.image = std::make_shared<const media::Image>(tiny_image(3))};
  const ChatPart sound{.recording = shared(tiny_sound(1, 20))}, other{.recording = shared(tiny_sound(2, 55))};
  const auto logits = [&](const std::vector<ChatPart>& parts) {
    ChatMessage message{.role = "user", .parts = parts};
    message.parts.push_back({.text = "which one?"});
    const auto session = chat->start({&message, 1});
    return std::vector<float>(session->logits().begin(), session->logits().end());
  };
  const std::vector<float> both = logits({picture, sound});
  EXPECT_EQ(both, logits({picture, sound}));
  EXPECT_NE(both, logits({sound, picture}));
  EXPECT_NE(both, logits({picture, other}));
  EXPECT_NE(both, logits({picture}));
}

TEST(Senses, FactsStandInTheEvidence) {
  const auto model = tiny_model(1, tiny_senses_config());
  const Perception perception = model->perceive(tiny_room(2.34f), DType::f32);
  EXPECT_EQ(perception.evidence.facts, (std::vector<std::string>{"centre 2.3 m", "nearest top left"}));
  TokenSequence sequence;
  model->prompt().evidence(sequence, {.labels = {"cat"}, .objects = {}, .facts = perception.evidence.facts});
  const std::vector<int32_t> words(sequence.tokens.begin() + 1, sequence.tokens.end() - 1);
  EXPECT_EQ(model->tokenizer().decode(words), "cat; centre 2.3 m; nearest top left");
  EXPECT_FALSE((Evidence{.labels = {}, .objects = {}, .facts = {"centre 2.3 m"}}.empty()));
}

TEST(Senses, SurviveSavingAndLoading) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "senses_saved";
  std::filesystem::remove_all(folder);
  const auto model = tiny_model(3, tiny_senses_config());
  save_model(folder, *model, tiny_tokenizer_json(), DType::f32);
  const auto loaded = SensoriumModel::load(folder);
  const modality::Recording sound = tiny_sound(1, 20);
  EXPECT_EQ(floats(model->perceive(sound, DType::f32).image_tokens_TC),
            floats(loaded->perceive(sound, DType::f32).image_tokens_TC));
  std::filesystem::remove_all(folder);
}

// A sequence about each recording of a batch that mixes senses and pictures.
TrainingBatch mixed_batch(const SensoriumModel& model) {
  TrainingBatch batch;
  batch.images.push_back({.image = tiny_image(1), .objects = {}, .unknown_objects = {}});
  const modality::Recording recordings[] = {tiny_motion(1, 2, 64), tiny_sound(2, 10, 40), tiny_film(5, 3),
                                            tiny_motion(3, 4, 90), tiny_sound(4, 50, 80), tiny_film(6, 0, 5),
                                            tiny_room(3)};
  for (const modality::Recording& recording : recordings) {
    const int index = static_cast<int>(batch.images.size() + batch.recordings.size());
    batch.recordings.push_back({.sense = recording.sense,
                                .signal = signals_of(recording)[0],
                                .label = static_cast<int>(batch.recordings.size() % 3)});
    const PromptWriter& writer = model.prompt();
    TokenSequence sequence;
    writer.begin(sequence);
    writer.begin_turn(sequence, "user");
    writer.recording(sequence, *recording.sense, index,
                     model.sense(*recording.sense).token_count(batch.recordings.back().signal));
    writer.end_turn(sequence);
    writer.begin_turn(sequence, "assistant");
    writer.text(sequence, "a dog", 1.0f);
    writer.end_turn(sequence, 1.0f);
    batch.sequences.push_back(std::move(sequence));
  }
  return batch;
}

TEST(SenseTraining, AGradientReachesEveryParameterOfTheSenses) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    const auto model = tiny_model(1, tiny_senses_config());
    const BatchLosses losses = training_loss(*model, mixed_batch(*model), {}, compute);
    EXPECT_TRUE(std::isfinite(losses.sense));
    EXPECT_TRUE(std::isfinite(losses.language));
    backward(losses.total);
    for (const nn::Parameter& parameter : model->store().parameters()) {
      if (!parameter.name.starts_with("senses.")) continue;
      ASSERT_TRUE(parameter.value.grad().defined()) << parameter.name;
      double squares = 0;
      for (const float g : parameter.value.grad().to_floats()) squares += static_cast<double>(g) * g;
      EXPECT_GT(squares, 0) << parameter.name;
      EXPECT_TRUE(std::isfinite(squares)) << parameter.name;
    }
  }
}

// Each sequence reads its own recording, whatever the order of the senses: alone it has the same loss.
TEST(SenseTraining, EverySequenceReadsItsOwnRecording) {
  const auto model = tiny_model(1, tiny_senses_config());
  const TrainingBatch batch = mixed_batch(*model);
  const LossWeights language{.label = 0, .detection = 0};
  const NoGrad no_grad;
  double sum = 0;
  for (size_t i = 0; i < batch.recordings.size(); ++i) {
    TrainingBatch alone;
    alone.recordings.push_back(batch.recordings[i]);
    alone.sequences.push_back(batch.sequences[i]);
    alone.sequences[0].images = {0};
    sum += training_loss(*model, alone, language, DType::f32).language;
  }
  EXPECT_NEAR(training_loss(*model, batch, language, DType::f32).language,
              sum / static_cast<double>(batch.recordings.size()), 1e-4);
}

// The eyes stay those of pictures whatever is learned from films.
TEST(SenseTraining, NoGradientOfAFilmReachesTheEyes) {
  const auto model = tiny_model(1, tiny_senses_config());
  TrainingBatch batch;
  batch.recordings.push_back(
      {.sense = &modality::sense_kind("video"), .signal = signals_of(tiny_film(1, 3))[0], .label = 0});
  backward(training_loss(*model, batch, {}, DType::f32).total);
  for (const nn::Parameter& parameter : model->store().parameters()) {
    EXPECT_EQ(parameter.value.grad().defined(), parameter.name.starts_with("senses.video.encoder") ||
                                                    parameter.name.starts_with("senses.video.classifier"))
        << parameter.name;
  }
}

TEST(SenseTraining, ALabelAndATraitShareTheLoss) {
  const auto model = tiny_model(1, tiny_senses_config());
  const NoGrad no_grad;
  const auto loss = [&](int label, int trait) {
    TrainingBatch batch;
    batch.recordings.push_back({.sense = &modality::sense_kind("video"),
                                .signal = signals_of(tiny_film(1, 3))[0],
                                .label = label,
                                .trait = trait});
    return training_loss(*model, batch, {.label_smoothing = 0}, DType::f32).total.item();
  };
  EXPECT_NEAR(loss(0, 2), (loss(0, -1) + loss(2, -1)) / 2, 1e-5);
  EXPECT_NEAR(loss(-1, 2), loss(2, -1), 1e-5) << "a trait alone is a label";
}

TEST(SenseTraining, LabelsOfUnknownRecordingsDoNotCount) {
  const auto model = tiny_model(1, tiny_senses_config());
  TrainingBatch batch = mixed_batch(*model);
  batch.sequences.clear();
  const NoGrad no_grad;
  for (TrainingRecording& recording : batch.recordings) recording.label = -1;
  EXPECT_THROW(training_loss(*model, batch, {}, DType::f32), Error) << "nothing to learn from";
  batch.recordings[1].label = 2;
  TrainingBatch alone;
  alone.recordings.push_back(batch.recordings[1]);
  EXPECT_NEAR(training_loss(*model, batch, {}, DType::f32).total.item(),
              training_loss(*model, alone, {}, DType::f32).total.item(), 1e-5);
}

}  // namespace
}  // namespace sensorium::models
