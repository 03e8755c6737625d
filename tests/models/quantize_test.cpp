// Quantised folders of every family: they load, their packed matrices are views on the file, and they answer nearly as the
// model that they were made of.
#include "models/quantize.h"

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "io/safetensors.h"
#include "models/decoder/session.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/golden_folder.h"
#include "models/llava/model.h"
#include "models/tiny_model.h"
#include "temporary_folder.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

class Quantize : public ::testing::Test {
 protected:
  fs::path quantized(const fs::path& from, const std::string& type, const std::string& towers) {
    const fs::path to = folder_ / fmt::format("{}-{}", from.filename().string(), serial_++);
    report_ = quantize_model(from, to, {.type = type, .towers = towers});
    return to;
  }
  fs::path native() {
    const fs::path path = folder_ / "native";
    if (!fs::exists(path)) save_model(path, *tiny_model(), tiny_tokenizer_json(), DType::f32);
    return path;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  QuantizeReport report_;
  int serial_ = 0;
};

// |a - b| / |b|
double distance(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

std::vector<float> logits_of(const Model& model, const std::vector<ChatPart>& parts) {
  const ChatMessage message = user(parts);
  const auto session = model.start({&message, 1});
  return {session->logits().begin(), session->logits().end()};
}

void expect_packed(const Model& model, const fs::path& folder) {
  EXPECT_FALSE(model.store().packed().empty());
  const io::SafetensorsFile file = io::SafetensorsFile::open(folder / "model.safetensors");
  uintptr_t first = UINTPTR_MAX;
  for (const nn::PackedParameter& parameter : model.store().packed())
    first = std::min(first, reinterpret_cast<uintptr_t>(parameter.value.bytes.raw()));
  for (const nn::PackedParameter& parameter : model.store().packed()) {
    const auto place = reinterpret_cast<uintptr_t>(parameter.value.bytes.raw());
    EXPECT_EQ(place % 64, 0u) << parameter.name;
    // One map holds all of them: nothing was copied.
    EXPECT_LT(place - first, fs::file_size(folder / "model.safetensors")) << parameter.name;
  }
}

struct Bounds {
  const char* type;
  const char* towers;
  double distance;
};
// Of logits and embeddings of tiny random models, which feel every rounding; bf16 activations besides.
constexpr Bounds kBounds[] = {{"bf16", "bf16", 0.03}, {"q8", "q8", 0.1}, {"q8/32", "bf16", 0.08}, {"q4", "q8", 0.6}};

// Products with packed weights must add up alike whatever part of a prompt is computed: 16 rows or the whole.
TEST_F(Quantize, APromptFoundAgainGivesTheSameBits) {
  SensoriumConfig config = tiny_config();
  config.decoder.context = 1024;
  const fs::path from = folder_ / "long";
  save_model(from, *tiny_model(1, config), tiny_tokenizer_json(), DType::f32);
  std::string text;
  for (int i = 0; i < 150; ++i) text += i % 3 == 0 ? "red dog " : "cat and ";
  for (const char* type : {"q8", "q4", "bf16"}) {
    const fs::path folder = quantized(from, type, type);
    const auto chat = load_model(folder), fresh = load_model(folder);
    const std::vector<ChatMessage> first = {user({{text, nullptr}})};
    const auto once = chat->start(first);
    for (const char* tail : {"", " three", " how many helmet head are red and three dog cat how many helmet"}) {
      std::vector<ChatMessage> next = {user({{text + tail, nullptr}})};
      const auto again = chat->start(next), alone = fresh->start(next);
      EXPECT_GT(again->reused_tokens(), 100) << type;
      EXPECT_TRUE(std::ranges::equal(again->logits(), alone->logits())) << type << tail;
      fresh->configure_cache({});  // forgets
    }
  }
}

TEST_F(Quantize, TextFamilies) {
  for (const char* family : {"llama", "mistral", "qwen2"}) {
    const fs::path original = GoldenFolder(family).path();
    const std::vector<float> wanted = logits_of(*load_model(original, DType::f32), {{.text = kQuestion}});
    for (const Bounds& bounds : kBounds) {
      const fs::path folder = quantized(original, bounds.type, bounds.towers);
      const auto model = load_model(folder);
      expect_packed(*model, folder);
      const double found = distance(logits_of(*model, {{.text = kQuestion}}), wanted);
      EXPECT_LT(found, bounds.distance) << family << " " << bounds.type;
      EXPECT_GT(found, 1e-5) << family << " " << bounds.type;
      EXPECT_EQ(model->store().total_elements(), load_model(original)->store().total_elements());
      EXPECT_EQ(report_.parameters, model->store().total_elements());
      EXPECT_EQ(report_.packed, static_cast<int64_t>(model->store().packed().size()));
    }
  }
}

TEST_F(Quantize, LikelihoodsOfTextsToo) {
  const fs::path original = GoldenFolder("llama").path();
  const std::string text = "the cat sat on the mat and looked at the rain";
  const auto [wanted, tokens] = load_model(original, DType::f32)->text_nll(text);
  const auto [found, count] = load_model(quantized(original, "q8", "q8"))->text_nll(text);
  EXPECT_EQ(count, tokens);
  EXPECT_NEAR(found, wanted, 0.02 * wanted);
}

TEST_F(Quantize, LlavaFamilies) {
  for (const char* family : {"llava", "llava_next"}) {
    const GoldenFolder golden(family);
    const std::vector<ChatPart> parts = {{.image = golden.picture(0)}, {.text = kQuestion}};
    const auto reference = load_model(golden.path(), DType::f32);
    const std::vector<float> wanted = logits_of(*reference, parts);
    const Tensor features = dynamic_cast<const LlavaModel&>(*reference).read_picture(*golden.picture(0));
    for (const Bounds& bounds : kBounds) {
      const fs::path folder = quantized(golden.path(), bounds.type, bounds.towers);
      const auto model = load_model(folder);
      expect_packed(*model, folder);
      EXPECT_LT(distance(logits_of(*model, parts), wanted), bounds.distance) << family << " " << bounds.type;
      const Tensor found = dynamic_cast<const LlavaModel&>(*model).read_picture(*golden.picture(0));
      EXPECT_LT(distance(found.to_floats(), features.to_floats()), 0.05) << family << " " << bounds.towers;
    }
  }
}

TEST_F(Quantize, DualEncoders) {
  for (const char* family : {"clip", "siglip"}) {
    const GoldenFolder golden(family);
    const std::vector<media::Image> images = {*golden.picture(0)};
    const std::vector<std::string> labels = {"a photo of a cat", "a red boat"};
    const auto reference = load_model(golden.path(), DType::f32);
    const auto model = load_model(quantized(golden.path(), "q4", "q8"));
    const auto& exact = dynamic_cast<const DualEncoder&>(*reference);
    const auto& dual = dynamic_cast<const DualEncoder&>(*model);
    EXPECT_LT(distance(dual.embed_images(images).to_floats(), exact.embed_images(images).to_floats()), 0.05) << family;
    EXPECT_LT(distance(dual.embed_texts(labels).to_floats(), exact.embed_texts(labels).to_floats()), 0.05) << family;
  }
}

TEST_F(Quantize, NativeModel) {
  const auto picture = std::make_shared<media::Image>(tiny_image(3));
  const std::vector<ChatPart> parts = {{.image = picture}, {.text = "how many dogs?"}};
  const auto reference = load_model(native(), DType::f32);
  const std::vector<float> wanted = logits_of(*reference, parts);
  for (const Bounds& bounds : kBounds) {
    const fs::path folder = quantized(native(), bounds.type, bounds.towers);
    const auto model = load_model(folder);
    expect_packed(*model, folder);
    EXPECT_LT(distance(logits_of(*model, parts), wanted), bounds.distance) << bounds.type;
  }
}

TEST_F(Quantize, DescribesWhatItDid) {
  const fs::path folder = quantized(GoldenFolder("llava").path(), "q4/32", "bf16");
  const Json config = read_json_file(folder / "config.json");
  EXPECT_EQ(config.at("quantization"), (Json{{"decoder", "q4/32"}, {"output", "q8/128"}, {"towers", "bf16"}}));
  EXPECT_EQ(config.at("model_type"), "llava");
  EXPECT_TRUE(fs::exists(folder / "tokenizer.json"));
  EXPECT_TRUE(fs::exists(folder / "preprocessor_config.json"));
  EXPECT_EQ(report_.bytes, fs::file_size(folder / "model.safetensors"));
  const auto model = load_model(folder);
  for (const nn::PackedParameter& parameter : model->store().packed()) {
    const std::string type = kernels::name_of(parameter.value.layout);
    EXPECT_EQ(type, parameter.name == "decoder.output.weight" ? "q8/128"
                    : parameter.name.starts_with("decoder.")  ? "q4/32"
                                                              : "bf16")
        << parameter.name;
  }
}

TEST_F(Quantize, RefusesWhatItCannotDo) {
  const fs::path original = GoldenFolder("llama").path(), folder = quantized(original, "q8", "q8");
  const auto attempt = [&](const fs::path& from, const fs::path& to, const std::string& type) {
    return error_of([&] { quantize_model(from, to, {.type = type}); });
  };
  EXPECT_EQ(attempt(original, folder, "q8").kind(), ErrorKind::usage);
  expect_contains(attempt(folder, folder_ / "again", "q8").message(), {"quantised already"});
  expect_contains(attempt(original, folder_ / "new", "q3").message(), {"q3", "q4"});
  EXPECT_EQ(attempt(folder_ / "nowhere", folder_ / "new", "q8").kind(), ErrorKind::not_found);
  // Nothing is left of a failure.
  fs::create_directory(folder_ / "broken");
  for (const char* name : {"config.json", "tokenizer.json"}) fs::copy(original / name, folder_ / "broken" / name);
  std::ofstream(folder_ / "broken" / "model.safetensors") << "not a file of tensors";
  EXPECT_EQ(attempt(folder_ / "broken", folder_ / "new", "q8").kind(), ErrorKind::invalid_data);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
    EXPECT_FALSE(entry.path().filename().string().starts_with("new")) << entry.path();
}

// The bytes of a packed matrix must be those of the shape that the configuration says.
TEST_F(Quantize, DamagedFoldersAreNamed) {
  const fs::path folder = quantized(GoldenFolder("llama").path(), "q4", "q8");
  const std::string weights = read_file(folder / "model.safetensors"), config = read_file(folder / "config.json");
  const auto fails = [&] { return error_of([&] { load_model(folder); }); };

  Json other = Json::parse(config);
  other["intermediate_size"] = other["intermediate_size"].get<int64_t>() + 64;
  write_file_atomic(folder / "config.json", other.dump());
  EXPECT_EQ(fails().kind(), ErrorKind::invalid_data);
  expect_contains(fails().message(), {"gate_up.weight.q4/64", "bytes"});
  write_file_atomic(folder / "config.json", config);

  std::string renamed = weights;  // a group that the bytes do not fit
  const size_t at = renamed.find("mlp.down.weight.q4/64");
  ASSERT_NE(at, std::string::npos);
  renamed.replace(at, 21, "mlp.down.weight.q4/32");
  write_file_atomic(folder / "model.safetensors", renamed);
  EXPECT_EQ(fails().kind(), ErrorKind::invalid_data);

  for (size_t length = 0; length < weights.size(); length += 4096) {
    write_file_atomic(folder / "model.safetensors", weights.substr(0, length));
    EXPECT_EQ(fails().kind(), ErrorKind::invalid_data) << length;
  }
}

}  // namespace
}  // namespace sensorium::models
