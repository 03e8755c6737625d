// /v1/audio/transcriptions with a tiny model that hears.
#include <gtest/gtest.h>

#include <cmath>

#include "media/audio.h"
#include "models/tiny_senses.h"
#include "server/running_server.h"

namespace sensorium::server {
namespace {

ServerOptions hearing_options() {
  ServerOptions options = tiny_options();
  options.models = {{.name = "hears"}, {.name = "tiny"}};
  options.load = [](const ModelSource& source) {
    static const std::unique_ptr<models::SensoriumModel> model = [] {
      models::SensoriumConfig config = models::tiny_senses_config();
      config.decoder.context = 640;
      return models::tiny_model(1, config);
    }();
    return source.name == "tiny" ? shared_tiny_model() : models::wrap_sensorium(*model, DType::f32);
  };
  return options;
}

std::string tone(double seconds = 1.5) {
  media::Audio audio{.sample_rate_hz = 16'000, .channels = 1, .samples = {}};
  for (int i = 0; i < static_cast<int>(seconds * 16'000); ++i)
    audio.samples.push_back(0.5f * std::sin(0.3f * static_cast<float>(i)));
  return media::encode_wav(audio);
}

Answer transcribe(const RunningServer& server, const std::string& file,
                  const std::map<std::string, std::string>& fields = {}) {
  std::map<std::string, std::string> all = {{"model", "hears"}};
  for (const auto& [name, value] : fields) all[name] = value;
  std::string body;
  for (const auto& [name, value] : all)
    body += "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  body +=
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n" +
      file + "\r\n--b--\r\n";
  return ask_once(server.port(), "POST", "/v1/audio/transcriptions", body,
                  "Content-Type: multipart/form-data; boundary=b\r\n");
}

// What the model answers to a question about the sound in a chat.
std::string chat_text(const RunningServer& server, const std::string& question) {
  const Json part = {{"type", "input_audio"}, {"input_audio", {{"data", base64_encode(tone())}, {"format", "wav"}}}};
  Json body = {{"model", "hears"},
               {"messages", {{{"role", "user"}, {"content", {part, {{"type", "text"}, {"text", question}}}}}}}};
  return server.post("/v1/chat/completions", body).json().at("choices").at(0).at("message").at("content");
}

TEST(Transcriptions, AreTheModelsAnswerToTheUsualQuestion) {
  const RunningServer server(hearing_options());
  const std::string want = chat_text(server, "What do you hear?");
  ASSERT_FALSE(want.empty());
  const Json json = transcribe(server, tone()).json();
  EXPECT_EQ(json.at("text"), want);
  EXPECT_EQ(json.at("usage").at("output_tokens"), 12);
  EXPECT_EQ(transcribe(server, tone(), {{"response_format", "text"}}).body, want + "\n");
  const Json verbose =
      transcribe(server, tone(), {{"response_format", "verbose_json"}, {"language", "en"}, {"temperature", "0"}})
          .json();
  EXPECT_EQ(verbose.at("text"), want);
  EXPECT_NEAR(verbose.at("duration").get<double>(), 1.5, 0.01);
  EXPECT_EQ(verbose.at("segments").at(0).at("end"), verbose.at("duration"));
  EXPECT_LT(verbose.at("segments").at(0).at("avg_logprob"), 0);
  EXPECT_EQ(verbose.at("segments").at(0).at("tokens").size(), 12U);
  EXPECT_EQ(transcribe(server, tone(), {{"prompt", "is it a dog?"}}).json().at("text"),
            chat_text(server, "is it a dog?"));
  const Answer streamed = transcribe(server, tone(), {{"stream", "true"}});
  std::string pieces, last;
  for (size_t at = 0; (at = streamed.body.find("data: ", at)) != std::string::npos;) {
    const size_t end = streamed.body.find("\n\n", at);
    const Json event = parse_json(std::string_view(streamed.body).substr(at + 6, end - at - 6)).value();
    if (event.at("type") == "transcript.text.delta") pieces += event.at("delta");
    if (event.at("type") == "transcript.text.done") last = event.at("text");
    at = end;
  }
  EXPECT_EQ(pieces, want);
  EXPECT_EQ(last, want);
}

TEST(Transcriptions, RefuseWhatIsWrongAndSayWhy) {
  const RunningServer server(hearing_options());
  EXPECT_EQ(transcribe(server, "no sound").status, 400);
  EXPECT_EQ(transcribe(server, tone().substr(0, 60)).status, 400);
  EXPECT_EQ(transcribe(server, "").status, 400);
  EXPECT_EQ(transcribe(server, tone(), {{"response_format", "srt"}}).status, 400);
  EXPECT_EQ(transcribe(server, tone(), {{"temperature", "hot"}}).status, 400);
  EXPECT_EQ(transcribe(server, tone(), {{"model", "nobody"}}).status, 404);
  EXPECT_EQ(transcribe(server, tone(), {{"model", ""}}).status, 400);
  EXPECT_EQ(server.post("/v1/audio/transcriptions", Json::object()).status, 400);
  const Answer deaf = transcribe(server, tone(), {{"model", "tiny"}});
  EXPECT_EQ(deaf.status, 400);
  EXPECT_NE(error_message(deaf).find("sound"), std::string::npos);
}

}  // namespace
}  // namespace sensorium::server
