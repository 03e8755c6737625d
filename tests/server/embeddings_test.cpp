// /v1/embeddings and Gemini's embedContent, with tiny models of the golden files, compared with the models themselves.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/file.h"
#include "models/embedding/load_input.h"
#include "models/embedding/vectors.h"
#include "server/running_server.h"

namespace sensorium::server {
namespace {

const std::filesystem::path kModels = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models";

// "clip" and "imagebind" of the golden files beside the tiny chat model.
ServerOptions embedding_options() {
  ServerOptions options = tiny_options();
  options.models = {{.name = "clip"}, {.name = "imagebind"}, {.name = "tiny"}};
  options.load = [](const ModelSource& source) {
    return source.name == "tiny" ? shared_tiny_model() : models::load_model(kModels / source.name, DType::f32);
  };
  return options;
}

std::string data_url(const std::filesystem::path& path, const std::string& type) {
  return "data:" + type + ";base64," + base64_encode(read_file(path));
}

// As the model itself makes them, of unit length.
std::vector<std::vector<float>> expected(const std::string& name, const std::vector<models::EmbedInput>& inputs) {
  const auto model = models::load_model(kModels / name, DType::f32);
  const Tensor rows = models::unit_rows(model->embedder()->embed(inputs));
  std::vector<std::vector<float>> vectors;
  for (int64_t i = 0; i < rows.dim(0); ++i) vectors.push_back(rows.slice(i, i + 1).to_floats());
  return vectors;
}

void expect_near(const Json& values, const std::vector<float>& want) {
  ASSERT_EQ(values.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(values[i].get<float>(), want[i], 1e-5) << i;
}

TEST(Embeddings, TextsAreTheModelsOwn) {
  const RunningServer server(embedding_options());
  const Answer answer =
      server.post("/v1/embeddings", {{"model", "clip"}, {"input", {"a dog", "two cats", "a dog", "a", "b", "c"}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json json = answer.json();
  ASSERT_EQ(json.at("data").size(), 6U);
  const auto want = expected("clip", {{.text = "a dog"}, {.text = "two cats"}});
  expect_near(json.at("data").at(0).at("embedding"), want[0]);
  expect_near(json.at("data").at(1).at("embedding"), want[1]);
  EXPECT_EQ(json.at("data").at(2).at("embedding"), json.at("data").at(0).at("embedding"));
  EXPECT_EQ(json.at("data").at(5).at("index"), 5);
  EXPECT_GT(json.at("usage").at("prompt_tokens"), 5);
  // One text alone, and the same as bytes.
  Json one = {{"model", "default"}, {"input", "a dog"}, {"encoding_format", "base64"}};
  const std::string text = server.post("/v1/embeddings", one).json().at("data").at(0).at("embedding");
  const std::string bytes = base64_decode(text).value();
  ASSERT_EQ(bytes.size(), want[0].size() * sizeof(float));
  std::vector<float> values(want[0].size());
  std::memcpy(values.data(), bytes.data(), bytes.size());
  expect_near(values, want[0]);
}

TEST(Embeddings, DimensionsCutAndMakeOneLongAgain) {
  const RunningServer server(embedding_options());
  const auto whole = expected("clip", {{.text = "a dog"}})[0];
  const Json json = server.post("/v1/embeddings", {{"model", "clip"}, {"input", "a dog"}, {"dimensions", 3}}).json();
  const double length = std::hypot(whole[0], whole[1], whole[2]);
  std::vector<float> want;
  for (size_t i = 0; i < 3; ++i) want.push_back(static_cast<float>(whole[i] / length));
  expect_near(json.at("data").at(0).at("embedding"), want);
  for (const int64_t dimensions : {int64_t{0}, static_cast<int64_t>(whole.size()) + 1}) {
    const Answer answer =
        server.post("/v1/embeddings", {{"model", "clip"}, {"input", "a dog"}, {"dimensions", dimensions}});
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.json().at("error").at("param"), "dimensions");
  }
}

TEST(Embeddings, MediaStandInTheSameSpace) {
  const RunningServer server(embedding_options());
  const std::filesystem::path folder = kModels / "imagebind";
  const auto picture = models::load_input(folder / "picture0.png", models::InputSense::image);
  const auto sound = models::load_input(folder / "short.wav", models::InputSense::audio);
  const auto film = models::load_input(folder / "film.mp4", models::InputSense::video);
  auto heat = picture;
  heat.sense = models::InputSense::thermal;
  const Json image_part = {{"type", "image_url"},
                           {"image_url", {{"url", data_url(folder / "picture0.png", "image/png")}}}};
  const Json sound_part = {
      {"type", "input_audio"},
      {"input_audio", {{"data", base64_encode(read_file(folder / "short.wav"))}, {"format", "wav"}}}};
  Json heat_part = image_part;
  heat_part["sense"] = "thermal";
  const Json film_part = {{"type", "video_url"}, {"video_url", {{"url", data_url(folder / "film.mp4", "video/mp4")}}}};
  const Json joined = {{"content", {image_part, sound_part}}};
  const Answer answer = server.post(
      "/v1/embeddings", {{"model", "imagebind"}, {"input", {image_part, sound_part, heat_part, film_part, joined}}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json data = answer.json().at("data");
  const auto want = expected("imagebind", {picture, sound, heat, film});
  for (size_t i = 0; i < want.size(); ++i) expect_near(data.at(i).at("embedding"), want[i]);
  const auto model = models::load_model(folder, DType::f32);
  const std::vector<models::EmbedInput> both = {picture, sound};
  const std::vector<float> weights = {1, 1};
  expect_near(data.at(4).at("embedding"), models::combine(model->embedder()->embed(both), weights).to_floats());
}

TEST(Embeddings, RefusesWhatIsWrongAndSaysWhy) {
  const RunningServer server(embedding_options());
  const auto refused = [&](const Json& input, const std::string& model = "clip") {
    const Answer answer = server.post("/v1/embeddings", {{"model", model}, {"input", input}});
    EXPECT_EQ(answer.status, 400) << input << answer.body;
    return error_message(answer);
  };
  EXPECT_NE(refused("a dog", "tiny").find("makes no embeddings"), std::string::npos);
  EXPECT_NE(refused(Json::array({1, 2, 3})).find("tokens"), std::string::npos);
  EXPECT_NE(refused({{"type", "input_audio"},
                     {"input_audio", {{"data", base64_encode(read_file(kModels / "imagebind/short.wav"))}}}})
                .find("audio"),
            std::string::npos);
  refused("");
  refused(Json::array());
  refused(Json::array({Json::array({1})}));
  refused({{"content", Json::array()}});
  refused({{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,AAAA"}}}});
  refused({{"type", "image_url"}, {"image_url", {{"url", picture_url()}}}, {"sense", "smell"}});
  refused({{"type", "image_url"}, {"image_url", {{"url", picture_url()}}}, {"sense", "audio"}});
  EXPECT_EQ(server.post("/v1/embeddings", {{"model", "nobody"}, {"input", "x"}}).status, 404);
  EXPECT_EQ(server.post("/v1/embeddings", {{"model", "clip"}, {"input", "x"}, {"encoding_format", "f8"}}).status, 400);
  // A model that only embeds says so when it is asked to chat.
  Json chat = RunningServer::chat_body();
  chat["model"] = "clip";
  EXPECT_EQ(server.post("/v1/chat/completions", chat).status, 400);
}

TEST(Embeddings, GeminiGivesTheSame) {
  const RunningServer server(embedding_options());
  const std::filesystem::path picture = kModels / "clip/picture0.png";
  const auto want = expected(
      "clip", {{.text = "a dog"}, models::load_input(picture, models::InputSense::image), {.text = "two\ncats"}});
  const Json image_part = {{"inlineData", {{"mimeType", "image/png"}, {"data", base64_encode(read_file(picture))}}}};
  const Answer one = server.post("/v1beta/models/clip:embedContent",
                                 {{"content", {{"parts", {{{"text", "a dog"}}}}}}, {"taskType", "RETRIEVAL_QUERY"}});
  ASSERT_EQ(one.status, 200) << one.body;
  expect_near(one.json().at("embedding").at("values"), want[0]);
  Json requests = Json::array();
  requests.push_back({{"content", {{"parts", {image_part}}}}});
  requests.push_back({{"content", {{"parts", {{{"text", "two"}}, {{"text", "cats"}}}}}}});
  const Json batch = server.post("/v1beta/models/clip:batchEmbedContents", {{"requests", requests}}).json();
  expect_near(batch.at("embeddings").at(0).at("values"), want[1]);
  expect_near(batch.at("embeddings").at(1).at("values"), want[2]);
  const Answer none = server.post("/v1beta/models/tiny:embedContent", {{"content", {{"parts", {{{"text", "x"}}}}}}});
  EXPECT_EQ(none.status, 400);
  EXPECT_EQ(none.json().at("error").at("status"), "INVALID_ARGUMENT");
  EXPECT_EQ(server.post("/v1beta/models/clip:embedContent", {{"content", {{"parts", Json::array()}}}}).status, 400);
  const Json known = ask_once(server.port(), "GET", "/v1beta/models/clip").json();
  EXPECT_NE(known.at("supportedGenerationMethods").dump().find("embedContent"), std::string::npos);
}

}  // namespace
}  // namespace sensorium::server
