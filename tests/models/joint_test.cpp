// The native model's joint space: its configuration, vectors of every sense, and what a model without one says.
#include "models/sensorium/joint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numbers>

#include "models/embedding/vectors.h"
#include "models/sensorium/chat.h"
#include "models/sensorium/embedder.h"
#include "models/tiny_senses.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

SensoriumConfig joint_config() {
  SensoriumConfig config = tiny_senses_config();
  config.joint = JointConfig{
      .dim = 8, .width = 16, .text_width = 16, .text_layers = 1, .text_heads = 2, .senses = {"image", "audio", "imu"}};
  return config;
}

EmbedInput text(const std::string& words) { return {.sense = InputSense::text, .text = words, .name = words}; }
EmbedInput picture(uint64_t seed) {
  return {.sense = InputSense::image, .image = std::make_shared<media::Image>(tiny_image(seed, 48, 40))};
}
EmbedInput sound(double hz, int rate = 16'000) {
  auto audio = std::make_shared<media::Audio>(media::Audio{rate, 1, {}});
  for (int i = 0; i < rate; ++i)
    audio->samples.push_back(0.3f * static_cast<float>(std::sin(2 * std::numbers::pi * hz * i / rate)));
  return {.sense = InputSense::audio, .audio = audio};
}
EmbedInput motion(uint64_t seed) {
  Rng rng(seed);
  return {.sense = InputSense::imu, .values = Tensor::randn({6, 120}, rng)};
}

Tensor row(const Tensor& vectors_NC, int64_t i) { return vectors_NC.slice(i, i + 1); }

TEST(JointConfig, GoesThroughJson) {
  const SensoriumConfig config = joint_config();
  const SensoriumConfig read = SensoriumConfig::from_json(Json::parse(config.to_json().dump()), "config.json");
  EXPECT_EQ(read.to_json(), config.to_json());
  EXPECT_EQ(read.joint->dim, 8);
  EXPECT_FALSE(tiny_config().to_json().contains("joint")) << "models without one keep their file";
  Json wrong = Json::parse(config.to_json().dump());
  wrong["joint"]["text_heads"] = 3;
  expect_contains(error_of([&] { SensoriumConfig::from_json(wrong, "c"); }).message(), {"c: joint", "text_width 16"});
  wrong["joint"]["text_heads"] = 2;
  wrong["joint"]["senses"] = {"image", "smell"};
  expect_contains(error_of([&] { SensoriumConfig::from_json(wrong, "c"); }).message(), {"no sense \"smell\""});
  wrong["joint"]["senses"] = {"image"};
  wrong["joint"]["depht"] = 2;
  expect_contains(error_of([&] { SensoriumConfig::from_json(wrong, "c"); }).message(), {"depht"});
}

TEST(JointSpace, EverySenseHasAPlace) {
  const auto model = tiny_model(3, joint_config());
  const auto chat = wrap_sensorium(*model, DType::f32);
  const Embedder* embedder = chat->embedder();
  ASSERT_NE(embedder, nullptr);
  EXPECT_EQ(embedder->embedding_dim(), 8);
  const std::vector<InputSense> senses = embedder->senses();
  for (const InputSense sense :
       {InputSense::text, InputSense::image, InputSense::video, InputSense::audio, InputSense::imu})
    EXPECT_NE(std::ranges::find(senses, sense), senses.end()) << name_of(sense);
  const std::vector<EmbedInput> inputs = {text("a red dog"), picture(1), sound(440),  motion(1),
                                          text("two cats"),  picture(2), sound(3000), motion(2)};
  const Tensor vectors_NC = embedder->embed(inputs);
  ASSERT_EQ(vectors_NC.shape(), Shape({8, 8}));
  const Tensor products = embedder->compare(vectors_NC, vectors_NC);
  for (int64_t i = 0; i < 8; ++i) {
    // Of unit length, over CLIP's starting temperature.
    EXPECT_NEAR(products.data<float>()[i * 9], 1 / 0.07, 1e-3);
    // One alone gives what it gives among others.
    const Tensor alone = embedder->embed({&inputs[static_cast<size_t>(i)], 1});
    for (int64_t c = 0; c < 8; ++c) EXPECT_NEAR(alone.data<float>()[c], row(vectors_NC, i).data<float>()[c], 1e-5);
    EXPECT_NE(row(vectors_NC, i).to_floats(), row(vectors_NC, (i + 4) % 8).to_floats()) << "another input of the sense";
  }
}

TEST(JointSpace, CaseAndPunctuationMakeNoDifference) {
  EXPECT_EQ(joint_text("  A Dog. "), "a dog");
  EXPECT_EQ(joint_text("The sound of: dog bark."), "the sound of: dog bark");
  EXPECT_EQ(joint_text(" .!"), "");
  const auto model = tiny_model(3, joint_config());
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<EmbedInput> same = {text("A red dog."), text("a red dog")};
  const Tensor vectors_NC = chat->embedder()->embed(same);
  EXPECT_EQ(row(vectors_NC, 0).to_floats(), row(vectors_NC, 1).to_floats());
  const EmbedInput nothing = text("...");
  expect_contains(error_of([&] { chat->embedder()->embed({&nothing, 1}); }).message(), {"without words"});
}

TEST(JointSpace, ASoundInMemoryIsTheFilesSound) {
  const modality::Recording heard = recording_of(sound(440));
  EXPECT_EQ(heard.sense->name, "audio");
  ASSERT_EQ(heard.windows.size(), 1u);
  EXPECT_NEAR(heard.seconds, 1.0, 1e-6);
  // Another rate of the same tone has nearly the same place.
  const auto model = tiny_model(3, joint_config());
  const auto chat = wrap_sensorium(*model, DType::f32);
  const std::vector<EmbedInput> tones = {sound(440), sound(440, 22'050)};
  const Tensor vectors_NC = chat->embedder()->embed(tones);
  EXPECT_GT(ops::linear(row(vectors_NC, 0), row(vectors_NC, 1)).item(), 0.95f);
  const EmbedInput wrong{.sense = InputSense::imu, .values = Tensor::zeros({3, 100}), .name = "walk.npy"};
  expect_contains(error_of([&] { chat->embedder()->embed({&wrong, 1}); }).message(), {"walk.npy", "[6, steps]"});
}

TEST(JointSpace, AModelWithoutOneSaysSo) {
  const auto model = tiny_model(1, tiny_senses_config());
  EXPECT_EQ(wrap_sensorium(*model, DType::f32)->embedder(), nullptr);
  const Error error = error_of([&] { (void)model->joint(); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  expect_contains(error.message(), {"no joint space", "senses-5-bind.yaml"});
  // A sense that the model lacks is none of its space.
  SensoriumConfig config = tiny_config();
  config.joint = joint_config().joint;
  config.joint->senses = {"image"};
  const auto deaf = tiny_model(1, config);
  const auto chat = wrap_sensorium(*deaf, DType::f32);
  const EmbedInput heard = sound(440);
  expect_contains(error_of([&] {
                    chat->embedder()->embed({&heard, 1});
                  }).message(),
                  {"audio is no sense of the model"});
}

TEST(JointSpace, IsSavedWithTheModel) {
  const fs::path folder = fs::path(testing::TempDir()) / "sensorium_joint";
  fs::remove_all(folder);
  const auto model = tiny_model(3, joint_config());
  save_model(folder, *model, tiny_tokenizer_json(), DType::f32);
  const auto loaded = load_model(folder, DType::f32);
  ASSERT_NE(loaded->embedder(), nullptr);
  const std::vector<EmbedInput> inputs = {text("a red dog"), picture(1)};
  const auto chat = wrap_sensorium(*model, DType::f32);
  EXPECT_EQ(loaded->embedder()->embed(inputs).to_floats(), chat->embedder()->embed(inputs).to_floats());
  EXPECT_EQ(loaded->describe().at("embedding_dim"), 8);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace sensorium::models
