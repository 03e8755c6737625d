// Model folders: what is written is what is read, and what is wrong is named.
#include "models/sensorium/config.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "data/temp_folder.h"
#include "io/safetensors.h"
#include "models/sensorium/chat.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

Json tiny_json() { return tiny_config().to_json(); }

// Every key of the configuration that is no object, as a path.
std::vector<std::string> all_keys() {
  const Json flat = tiny_json().flatten();
  std::vector<std::string> keys;
  for (const auto& [path, value] : flat.items()) {
    std::string key = path;
    while (std::isdigit(static_cast<unsigned char>(key.back()))) key.resize(key.rfind('/'));  // an element of a list
    if (keys.empty() || keys.back() != key) keys.push_back(key);
  }
  return keys;
}
std::string last_part(const std::string& path) { return "\"" + path.substr(path.rfind('/') + 1) + "\""; }

TEST(SensoriumConfig, RoundTrip) {
  SensoriumConfig config = tiny_config();
  config.name = "small";
  config.licence = "Apache-2.0";
  config.trained_on = "nothing";
  config.heads.thresholds = {0.25, 0.5};
  const Json json = config.to_json();
  EXPECT_EQ(Json(SensoriumConfig::from_json(json, "config.json").to_json()), json);
  EXPECT_EQ(all_keys().size(), 30u);  // so that the tests below look at all of them
}

TEST(SensoriumConfig, MissingKeysAreNamed) {
  const std::vector<std::string> optional = {"/name",
                                             "/licence",
                                             "/trained_on",
                                             "/merge",
                                             "/prepare/max_pixels",
                                             "/prepare/min_side",
                                             "/prepare/max_aspect",
                                             "/image/rope_theta",
                                             "/decoder/rope_theta",
                                             "/heads/thresholds"};
  for (const std::string& path : all_keys()) {
    Json json = tiny_json();
    const Json::json_pointer pointer(path);
    json.at(pointer.parent_pointer()).erase(pointer.back());
    if (std::find(optional.begin(), optional.end(), path) != optional.end()) {
      EXPECT_NO_THROW(SensoriumConfig::from_json(json, "config.json")) << path;
      continue;
    }
    const Error error = error_of([&] { SensoriumConfig::from_json(json, "config.json"); });
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << path;
    expect_contains(error.message(), {"config.json", last_part(path), "missing"});
  }
  for (const char* part : {"image", "decoder", "heads"}) {
    Json json = tiny_json();
    json.erase(part);
    expect_contains(error_of([&] { SensoriumConfig::from_json(json, "config.json"); }).message(),
                    {"config.json", part});
  }
}

TEST(SensoriumConfig, WrongTypesAreNamed) {
  for (const std::string& path : all_keys()) {
    for (const Json& wrong : {Json(Json::object()), Json(true), Json(nullptr)}) {
      Json json = tiny_json();
      json[Json::json_pointer(path)] = wrong;
      const Error error = error_of([&] { SensoriumConfig::from_json(json, "config.json"); });
      EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << path << " " << wrong;
      expect_contains(error.message(), {"config.json", last_part(path), wrong.dump(), "expected"});
    }
  }
  for (const char* part : {"prepare", "image", "decoder", "heads"}) {
    Json json = tiny_json();
    json[part] = "large";
    expect_contains(error_of([&] { SensoriumConfig::from_json(json, "config.json"); }).message(),
                    {"config.json", part});
  }
  for (const Json& wrong : {Json(Json::array()), Json(3), Json()}) {
    expect_contains(error_of([&] { SensoriumConfig::from_json(wrong, "config.json"); }).message(), {"config.json"});
  }
}

TEST(SensoriumConfig, SizesOutOfRangeAreNamed) {
  for (const std::string& path : all_keys()) {
    const Json::json_pointer pointer(path);
    if (!tiny_json().at(pointer).is_number_integer()) continue;
    for (const int64_t wrong : {int64_t{-1}, int64_t{1} << 40}) {
      Json json = tiny_json();
      json[pointer] = wrong;
      const Error error = error_of([&] { SensoriumConfig::from_json(json, "config.json"); });
      EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << path;
      expect_contains(error.message(), {"config.json", last_part(path), std::to_string(wrong)});
    }
  }
}

TEST(SensoriumConfig, SizesThatDoNotFitTogetherAreNamed) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"/image/stem_channels", {8, 8, 16}, "stem_channels"},
      {"/image/stem_channels", {8, 8, 16, 0}, "stem_channels"},
      {"/image/stem_channels", {8, 8, 16, 17}, "norm_groups"},
      {"/image/stem_channels", {8, 8, 16, -2}, "stem_channels"},
      {"/image/stem_blocks", {1, 1}, "stem_blocks"},
      {"/image/stem_blocks", {1, 0, 1}, "stem_blocks"},
      {"/image/dim", 24, "heads"},
      {"/decoder/kv_heads", 3, "kv_heads"},
      {"/decoder/head_dim", 12, "head_dim"},
      {"/decoder/rope_theta", -5.0, "rope_theta"},
      {"/decoder/rope_theta", 1e308, "rope_theta"},  // infinite as a float
      {"/image/rope_theta", 0.0, "rope_theta"},
      {"/image/rope_theta", 1e39, "rope_theta"},
      {"/heads/thresholds", {0.5}, "thresholds"},
      {"/heads/thresholds", {0.5, 1.5}, "thresholds"},
      {"/heads/labels", {"cat", ""}, "labels"},
      {"/heads/objects", {"", "head"}, "objects"},
      {"/format_version", 2, "format_version"},
  };
  for (const auto& [path, value, named] : cases) {
    Json json = tiny_json();
    json[Json::json_pointer(path)] = value;
    const Error error = error_of([&] { SensoriumConfig::from_json(json, "config.json"); });
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << path << " " << value;
    expect_contains(error.message(), {"config.json", named});
  }
}

TEST(SensoriumConfig, UnknownKeysSuggestTheNearest) {
  for (const auto& [path, near] : std::vector<std::pair<std::string, std::string>>{{"/decoder/head_dims", "head_dim"},
                                                                                   {"/image/mlp_with", "mlp_width"},
                                                                                   {"/licens", "licence"},
                                                                                   {"/prepare/max_pixel", "max_pixels"},
                                                                                   {"/heads/treshold", "thresholds"}}) {
    Json json = tiny_json();
    json[Json::json_pointer(path)] = 8;
    const Error error = error_of([&] { SensoriumConfig::from_json(json, "config.json"); });
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << path;
    expect_contains(error.message(), {"config.json", last_part(path), "did you mean \"" + near + "\""});
  }
}

class ModelFolder : public data::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    save_model(folder_, *model_, tiny_tokenizer_json(), DType::f32);
  }
  Error load_error() const {
    return error_of([&] { load_model(folder_); });
  }
  void change_config(const std::string& path, const Json& value) {
    Json json = tiny_json();
    json[Json::json_pointer(path)] = value;
    write("config.json", json.dump());
  }
  void change_weights(const std::function<void(std::vector<io::NamedTensor>&)>& change) {
    std::vector<io::NamedTensor> tensors;
    for (const nn::Parameter& p : model_->store().parameters()) tensors.push_back({p.name, p.value.detach()});
    change(tensors);
    io::write_safetensors(folder_ / "model.safetensors", tensors, {});
  }
  static std::vector<float> logits(const SensoriumModel& model, DType compute) {
    const auto chat = wrap_sensorium(model, compute);
    const auto picture = std::make_shared<const media::Image>(tiny_image(3, 50, 40));
    const std::vector<ChatMessage> messages = {{"user", {{"", picture}, {"how many?", nullptr}}}};
    const auto session = chat->start(messages);
    return {session->logits().begin(), session->logits().end()};
  }

  std::unique_ptr<SensoriumModel> model_ = tiny_model();
};

TEST_F(ModelFolder, AModelComesBackBitForBit) {
  const auto loaded = SensoriumModel::load(folder_);
  EXPECT_EQ(Json(loaded->config().to_json()), tiny_json());
  EXPECT_EQ(logits(*loaded, DType::f32), logits(*model_, DType::f32));
  EXPECT_EQ(logits(*loaded, DType::bf16), logits(*model_, DType::bf16));
  const auto chat = load_model(folder_);
  EXPECT_EQ(chat->tokenizer().encode("three dogs"), tiny_tokenizer()->encode("three dogs"));
  EXPECT_EQ(chat->describe().at("family"), "sensorium");

  const std::string config = read_file(folder_ / "config.json"), weights = read_file(folder_ / "model.safetensors");
  save_model(folder_ / "again", *loaded, tiny_tokenizer_json(), DType::f32);
  EXPECT_EQ(read_file(folder_ / "again" / "config.json"), config);
  EXPECT_EQ(read_file(folder_ / "again" / "model.safetensors"), weights);
  EXPECT_EQ(read_file(folder_ / "again" / "tokenizer.json"), tiny_tokenizer_json());
}

TEST_F(ModelFolder, Bf16RoundsMatricesAndKeepsVectors) {
  save_model(folder_, *model_, tiny_tokenizer_json(), DType::bf16);
  const auto loaded = SensoriumModel::load(folder_);
  for (const nn::Parameter& parameter : model_->store().parameters()) {
    const Tensor value = loaded->store().find(parameter.name).value;
    const bool vector = parameter.value.rank() == 1;
    EXPECT_EQ(value.dtype(), vector ? DType::f32 : DType::bf16) << parameter.name;
    EXPECT_FALSE(value.requires_grad());
    EXPECT_EQ(value.to_floats(), vector ? parameter.value.to_floats() : parameter.value.to(DType::bf16).to_floats());
  }
}

TEST_F(ModelFolder, MissingFilesAreNamed) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
    fs::rename(folder_ / name, folder_ / "aside");
    const Error error = load_error();
    EXPECT_EQ(error.kind(), ErrorKind::not_found) << name;
    expect_contains(error.message(), {(folder_ / name).string()});
    fs::rename(folder_ / "aside", folder_ / name);
  }
  const Error error = error_of([&] { load_model(folder_ / "nowhere"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  expect_contains(error.message(), {"nowhere", "config.json"});
}

TEST_F(ModelFolder, UnknownFamiliesSuggestTheNearest) {
  change_config("/model_type", "sensorum");
  const Error near = load_error();
  EXPECT_EQ(near.kind(), ErrorKind::unsupported);
  expect_contains(near.message(), {"config.json", "sensorum", "did you mean \"sensorium\""});
  change_config("/model_type", "gpt_bigcode");
  const Error far = load_error();
  EXPECT_EQ(far.kind(), ErrorKind::unsupported);
  expect_contains(far.message(), {"config.json", "gpt_bigcode", "sensorium"});
  change_config("/model_type", 3);
  expect_contains(load_error().message(), {"config.json", "model_type"});
  write("config.json", "[1, 2");
  EXPECT_EQ(load_error().kind(), ErrorKind::invalid_data);
  expect_contains(load_error().message(), {"config.json"});
}

TEST_F(ModelFolder, SizesThatDoNotMatchTheWeightsAreNamed) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"/decoder/dim", 24, "projector"},
      {"/decoder/layers", 3, "decoder.layers.2"},
      {"/decoder/layers", 1, "decoder.layers.1"},
      {"/decoder/mlp_width", 32, "mlp"},
      {"/decoder/vocabulary", 1408, "detector.embedding"},
      {"/image/stem_channels", {8, 8, 16, 32}, "image.stages.2"},
      {"/image/stem_blocks", {1, 2, 1}, "image.stages.1.1"},
      {"/heads/query_dim", 16, "detector"},
      {"/merge", 1, "projector"},
  };
  for (const auto& [path, value, named] : cases) {
    change_config(path, value);
    const Error error = load_error();
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << path;
    expect_contains(error.message(), {"model.safetensors", named});
  }
  change_config("/decoder/dim", 24);  // 2 x 2 merged positions of 16 channels go in
  expect_contains(load_error().message(), {"[16, 64]", "[24, 64]"});
}

TEST_F(ModelFolder, MissingUnexpectedAndForeignTensorsAreNamed) {
  change_weights(
      [](auto& tensors) { std::erase_if(tensors, [](const auto& t) { return t.name == "decoder.norm.weight"; }); });
  EXPECT_EQ(load_error().kind(), ErrorKind::invalid_data);
  expect_contains(load_error().message(), {"model.safetensors", "decoder.norm.weight", "[16]", "missing"});
  change_weights([](auto& tensors) { tensors.push_back({"lm_head.weight", Tensor::zeros({2, 2})}); });
  EXPECT_EQ(load_error().kind(), ErrorKind::invalid_data);
  expect_contains(load_error().message(), {"model.safetensors", "lm_head.weight"});
  change_weights([](auto& tensors) { tensors[3].tensor = Tensor::zeros(tensors[3].tensor.shape(), DType::i32); });
  EXPECT_EQ(load_error().kind(), ErrorKind::unsupported);
  expect_contains(load_error().message(), {"model.safetensors", model_->store().parameters()[3].name, "i32"});
}

TEST_F(ModelFolder, TruncatedWeightsAreAnError) {
  const std::string bytes = read_file(folder_ / "model.safetensors");
  for (const size_t length : {size_t{0}, size_t{7}, size_t{8}, size_t{500}, bytes.size() / 2, bytes.size() - 1}) {
    write("model.safetensors", bytes.substr(0, length));
    const Error error = load_error();
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << length;
    expect_contains(error.message(), {"model.safetensors"});
  }
  write("model.safetensors", bytes + "x");
  EXPECT_EQ(load_error().kind(), ErrorKind::invalid_data);
}

TEST_F(ModelFolder, TokenizersThatDoNotFitAreNamed) {
  write("tokenizer.json", "{}");
  EXPECT_EQ(load_error().kind(), ErrorKind::invalid_data);
  expect_contains(load_error().message(), {"tokenizer.json"});

  text::TrainOptions options;
  options.vocab_size = 258;
  options.special_tokens = {"<|pad|>", "<|bos|>"};
  const std::vector<std::string> corpus = {"a b"};
  write("tokenizer.json", text::to_tokenizer_json(*text::train_bpe(corpus, options)));
  const Error error = load_error();
  EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
  expect_contains(error.message(), {"tokenizer.json", "<|end|>"});

  write("tokenizer.json", tiny_tokenizer_json());
  change_config("/decoder/vocabulary", 1264);
  const Error small = load_error();
  EXPECT_EQ(small.kind(), ErrorKind::invalid_data);
  expect_contains(small.message(), {"tokenizer.json", "1264"});
}

TEST_F(ModelFolder, AFolderThatCannotBeMadeIsAnError) {
  write("file", "x");
  EXPECT_EQ(error_of([&] { save_model(folder_ / "file", *model_, "{}", DType::f32); }).kind(), ErrorKind::io);
}

}  // namespace
}  // namespace sensorium::models
