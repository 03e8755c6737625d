// Films and sounds in every container over HTTP reach the model as the program's own readers give them.
#include <gtest/gtest.h>

#include <cmath>

#include "base/child_process.h"
#include "base/file.h"
#include "generate/generate.h"
#include "models/load_part.h"
#include "models/tiny_senses.h"
#include "server/running_server.h"
#include "temporary_folder.h"

namespace sensorium::server {
namespace {

constexpr const char* kQuestion = "what is it?";

// A tiny model with all senses in a folder, a server in front of it, and the same model beside it.
class FilmsAndSounds : public testing::Test {
 protected:
  static ServerOptions options_for(const std::filesystem::path& folder) {
    ServerOptions options = tiny_options();
    options.models = {{.name = "senses", .path = folder, .load = {.compute = DType::f32}}, {.name = "text"}};
    options.load = [](const ModelSource& source) {
      return source.path.empty() ? shared_tiny_model() : models::load_model(source.path, source.load);
    };
    return options;
  }
  static std::string saved_model(const TemporaryFolder& folder) {
    models::SensoriumConfig config = models::tiny_senses_config();
    config.decoder.context = 640;
    models::save_model(folder / "model", *models::tiny_model(1, config), models::tiny_tokenizer_json(), DType::f32);
    return folder / "model";
  }

  // A film of three seconds with a tone, or a part of it, as ffmpeg writes it.
  std::string make(const std::string& name, const std::vector<std::string>& how) const {
    std::vector<std::string> arguments = {"ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"};
    for (const char* source : {"testsrc=s=96x64:r=10:d=3", "sine=f=440:r=48000:d=3"})
      arguments.insert(arguments.end(), {"-f", "lavfi", "-i", source});
    arguments.insert(arguments.end(), how.begin(), how.end());
    arguments.push_back(folder_ / name);
    ChildProcess process(arguments, {});
    (void)process.read_all(1000);
    EXPECT_EQ(process.wait(), 0) << process.complaint();
    return folder_ / name;
  }
  std::string film(const std::string& name = "film.webm") const {
    return make(name, {"-c:v", "libvpx", "-b:v", "200k", "-c:a", "libopus"});
  }

  static std::string data_url(const std::string& path, const std::string& type) {
    return "data:" + type + ";base64," + base64_encode(read_file(path));
  }
  static Json video_part(const std::string& url) { return {{"type", "video_url"}, {"video_url", {{"url", url}}}}; }
  static Json file_part(const std::string& url) { return {{"type", "file"}, {"file", {{"file_data", url}}}}; }
  static Json sound_part(const std::string& path) {
    return {{"type", "input_audio"}, {"input_audio", {{"data", base64_encode(read_file(path))}, {"format", "x"}}}};
  }
  Answer ask(const Json& part, const std::string& model = "senses") const {
    const Json content = {part, {{"type", "text"}, {"text", kQuestion}}};
    return server_.post("/v1/chat/completions",
                        {{"model", model}, {"messages", {{{"role", "user"}, {"content", content}}}}});
  }

  // The answer is the model's own to these parts.
  void expect_heard(const Answer& answer, std::vector<models::ChatPart> parts, const std::string& what) const {
    ASSERT_EQ(answer.status, 200) << what << answer.body;
    parts.push_back({.text = kQuestion});
    const std::vector<models::ChatMessage> messages = {{.role = "user", .parts = std::move(parts)}};
    const auto session = model_->start(messages);
    const Json json = answer.json();
    EXPECT_EQ(json.at("usage").at("prompt_tokens"), session->prompt_tokens()) << what;
    const generate::Generated want = generate::generate(*session, options_for({}).defaults);
    EXPECT_EQ(json.at("choices").at(0).at("message").at("content"), want.answer.text) << what;
  }
  static std::vector<models::ChatPart> recordings(const std::string& path, const char* sense) {
    return models::load_recordings(path, modality::sense_kind(sense));
  }

  TemporaryFolder folder_;
  std::string path_ = saved_model(folder_);
  RunningServer server_{options_for(path_)};
  std::unique_ptr<models::Model> model_ = models::load_model(path_, DType::f32);
};

TEST_F(FilmsAndSounds, AFilmIsWatchedAtTheModelsOwnRateAndHeard) {
  const std::string path = film();
  const std::vector<models::ChatPart> parts = recordings(path, "video");
  ASSERT_EQ(parts.size(), 2U) << "its sound";
  expect_heard(ask(video_part(data_url(path, "video/webm"))), parts, "video_url");
  expect_heard(ask(file_part(data_url(path, "video/webm"))), parts, "file");
  const std::string silent = make("silent.mp4", {"-map", "0:v", "-c:v", "mpeg4"});
  ASSERT_EQ(recordings(silent, "video").size(), 1U);
  expect_heard(ask(video_part(data_url(silent, "video/mp4"))), recordings(silent, "video"), "silent");
}

TEST_F(FilmsAndSounds, SoundsInEveryContainerAreHeard) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> files = {
      {"sound.m4a", {"-map", "1:a", "-c:a", "aac"}},
      {"sound.webm", {"-map", "1:a", "-c:a", "libopus"}},  // as browsers record
      {"sound.ogg", {"-map", "1:a", "-c:a", "libvorbis"}},
      {"sound.mp3", {"-map", "1:a", "-c:a", "libmp3lame"}},
      {"sound.flac", {"-map", "1:a", "-c:a", "flac"}},
  };
  for (const auto& [name, how] : files) {
    const std::string path = make(name, how);
    const std::vector<models::ChatPart> heard = recordings(path, "audio");
    expect_heard(ask(sound_part(path)), heard, name + " as input_audio");
    expect_heard(ask(file_part(data_url(path, "application/octet-stream"))), heard, name + " as file");
    expect_heard(ask(video_part(data_url(path, "video/webm"))), heard, name + " as video");
  }
}

TEST_F(FilmsAndSounds, OfAFilmSentAsSoundTheSoundAloneIsHeard) {
  const std::string path = film();
  const std::vector<models::ChatPart> heard = recordings(path, "audio");
  expect_heard(ask(sound_part(path)), heard, "input_audio");
  expect_heard(ask(file_part(data_url(path, "audio/webm"))), heard, "file of a type of sounds");
  const Json gemini = {{"inlineData", {{"mimeType", "audio/webm"}, {"data", base64_encode(read_file(path))}}}};
  const Json body = {{"contents", {{{"parts", {gemini, {{"text", kQuestion}}}}}}}};
  const Answer answer = server_.post("/v1beta/models/senses:generateContent", body);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json().at("candidates").at(0).at("content").at("parts").at(0).at("text"),
            ask(sound_part(path)).json().at("choices").at(0).at("message").at("content"));
}

TEST_F(FilmsAndSounds, WhatCannotBeReadIsSaidWithoutPaths) {
  const std::string silent = make("silent.mp4", {"-map", "0:v", "-c:v", "mpeg4"});
  std::string broken = read_file(silent);
  broken.resize(200);
  write_file_atomic(folder_ / "broken.mp4", broken);
  const auto refused = [&](const Json& part, const std::string& message) {
    const Answer answer = ask(part);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_NE(error_message(answer).find(message), std::string::npos) << answer.body;
    EXPECT_EQ(answer.body.find("/tmp"), std::string::npos) << answer.body;
  };
  refused(sound_part(silent), "the sound cannot be read: holds no sound");
  refused(video_part(data_url(folder_ / "broken.mp4", "video/mp4")), "the film cannot be read: ");
  refused(sound_part(folder_ / "broken.mp4"), "the sound cannot be read: ");
  // Two hours of silence take little room.
  ChildProcess ffmpeg({"ffmpeg", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i",
                       "anullsrc=r=8000:cl=mono:d=7200", "-c:a", "flac", folder_ / "silence.mka"},
                      {});
  (void)ffmpeg.read_all(1000);
  ASSERT_EQ(ffmpeg.wait(), 0) << ffmpeg.complaint();
  const Answer long_one = ask(sound_part(folder_ / "silence.mka"));
  EXPECT_EQ(long_one.status, 413) << long_one.body;
  EXPECT_NE(error_message(long_one).find("longer than 60 minutes"), std::string::npos) << long_one.body;
}

TEST(FilmsOfFamilies, ThoseThatWatchNoneSaySo) {
  const std::filesystem::path models = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models";
  ServerOptions options = tiny_options();
  options.models = {{.name = "llama", .path = models / "llama"}};
  options.load = [](const ModelSource&) { return shared_tiny_model(); };
  const RunningServer server(std::move(options));
  const std::string film = "data:video/mp4;base64," + base64_encode(read_file(models / "imagebind/film.mp4"));
  const Json part = {{"type", "video_url"}, {"video_url", {{"url", film}}}};
  const Answer answer = server.chat({{"model", "llama"}, {"messages", {{{"role", "user"}, {"content", {part}}}}}});
  EXPECT_EQ(answer.status, 400) << answer.body;
  EXPECT_NE(error_message(answer).find("llama watches no films"), std::string::npos) << answer.body;
}

// The families that watch films read one.
TEST(FilmsOfFamilies, ReadAFilm) {
  const std::filesystem::path film =
      std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models/imagebind/film.mp4";
  int watchers = 0;
  for (const models::ModelFamily& family : models::model_families()) {
    if (family.read_film == nullptr) continue;
    ++watchers;
    const std::vector<models::ChatPart> parts = family.read_film(film, {});
    ASSERT_FALSE(parts.empty()) << family.model_type;
    EXPECT_TRUE(parts[0].recording || !parts[0].frames.empty()) << family.model_type;
  }
  EXPECT_GE(watchers, 2);
}

}  // namespace
}  // namespace sensorium::server
