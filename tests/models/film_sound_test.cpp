// A film and its sound: behind each other, or window by window.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/sensorium/chat.h"
#include "models/tiny_senses.h"

namespace sensorium::models {
namespace {

struct FilmWithSound {
  std::shared_ptr<modality::Recording> film = std::make_shared<modality::Recording>(tiny_film(1, 2, 16));
  std::shared_ptr<modality::Recording> sound = std::make_shared<modality::Recording>(tiny_sound(1, 20, 100));

  FilmWithSound() {
    sound->sound_track = true;
    sound->beside_film = {tiny_sound(2, 12, 64).windows[0], tiny_sound(3, 50, 64).windows[0]};
  }
  std::vector<ChatMessage> question() const {
    return {{"user", {{.recording = film}, {.recording = sound}, {.text = "how many dogs?"}}}};
  }
};

SensoriumConfig config_with(bool interleaves, FusionKind kind = FusionKind::projector) {
  SensoriumConfig config = tiny_senses_config();
  config.decoder.context = 256;
  config.evidence = false;
  config.interleaves_sound = interleaves;
  config.fusion.kind = kind;
  if (kind == FusionKind::cross_attention) config.decoder.cross_every = 1;
  return config;
}

std::string prompt_of(const SensoriumConfig& config, const std::vector<ChatMessage>& messages) {
  const auto model = tiny_model(1, config);
  std::string text;
  const auto session = wrap_sensorium(*model, DType::f32)->start(messages);
  for (const int32_t token : session->prompt_ids())
    text += token < 0 ? "*" : model->tokenizer().decode(std::vector<int32_t>{token});
  return text;
}

TEST(FilmSound, StandsBesideTheWindowsWhereTheModelWantsItSo) {
  const FilmWithSound given;
  // 8 frames of 2 x 2 cells become 8 tokens, a sound of 64 x 64 or 64 x 100 pixels 2 x 2 or 2 x 4.
  const std::string frames(8, '*');
  const std::string behind = prompt_of(config_with(false), given.question());
  EXPECT_NE(behind.find("video: " + frames + frames + "sound: " + std::string(8, '*') + "how many"), std::string::npos)
      << behind;
  const std::string interleaved = prompt_of(config_with(true), given.question());
  EXPECT_NE(interleaved.find("video: " + frames + "sound: ****video: " + frames + "sound: ****how many"),
            std::string::npos)
      << interleaved;
  const std::string beside = prompt_of(config_with(true, FusionKind::cross_attention), given.question());
  EXPECT_NE(beside.find("video: *sound: *video: *sound: *how many"), std::string::npos) << beside;
}

TEST(FilmSound, EachWindowHearsItsOwn) {
  const auto model = tiny_model(1, config_with(true));
  const auto chat = wrap_sensorium(*model, DType::f32);
  FilmWithSound given;
  const auto logits = [&] {
    const auto session = chat->start(given.question());
    return std::vector<float>(session->logits().begin(), session->logits().end());
  };
  const std::vector<float> first = logits();
  EXPECT_EQ(logits(), first);
  std::swap(given.sound->beside_film[0], given.sound->beside_film[1]);
  EXPECT_NE(logits(), first);
}

TEST(FilmSound, AFilmWithoutOneIsWatchedAsBefore) {
  FilmWithSound given;
  const std::vector<ChatMessage> silent = {{"user", {{.recording = given.film}, {.text = "how many dogs?"}}}};
  EXPECT_EQ(prompt_of(config_with(true), silent), prompt_of(config_with(false), silent));
  // A model that does not hear leaves it out.
  SensoriumConfig deaf = config_with(true);
  std::erase_if(deaf.senses, [](const SenseConfig& sense) { return sense.kind->name == "audio"; });
  EXPECT_EQ(prompt_of(deaf, given.question()), prompt_of(deaf, silent));
}

}  // namespace
}  // namespace sensorium::models
