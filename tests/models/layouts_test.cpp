// Other layouts than Hugging Face's, against the same reference: tools/golden/models_layouts.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/memory.h"
#include "io/gguf.h"
#include "models/changed_folder.h"
#include "models/decoder/prompt.h"
#include "models/gguf/names.h"
#include "models/golden_folder.h"
#include "models/llava/model.h"
#include "models/tiny_model.h"
#include "text/image_prompt.h"
#include "text/registry.h"

namespace sensorium::models {
namespace {

namespace fs = std::filesystem;

// The ids of the original code, with one -200 for each row of a picture.
std::vector<int32_t> expanded(const std::vector<int32_t>& ids, std::vector<int64_t> rows) {
  std::vector<int32_t> result;
  size_t picture = 0;
  for (const int32_t id : ids) {
    result.insert(result.end(), id == text::kImageId ? static_cast<size_t>(rows[picture++]) : 1, id);
  }
  return result;
}

void expect_llava_1_5(const Model& model) {
  const GoldenFolder golden("llava_original");
  const auto& llava = dynamic_cast<const LlavaModel&>(model);
  for (int i = 0; i < 2; ++i) {
    expect_close(llava.prepare(*golden.picture(i)), golden.expected("pixels").slice(i, i + 1), 1e-6);
    expect_close(llava.read_picture(*golden.picture(i)), golden.expected("features").slice(i, i + 1));
  }
  const ChatMessage one = user({{.image = golden.picture(0)}, {.text = kQuestion}});
  const ChatMessage two = user({{.image = golden.picture(0)}, {.image = golden.picture(1)}, {.text = kQuestion}});
  for (const auto& [name, message, rows] :
       {std::tuple("one", one, std::vector<int64_t>{16}), std::tuple("two", two, std::vector<int64_t>{16, 16})}) {
    const std::string prefix = std::string(name) + ".";
    EXPECT_EQ(llava.write_tokens({&message, 1}, rows), expanded(golden.ids(prefix + "ids"), rows));
    const auto session = model.start({&message, 1});
    expect_close(as_tensor(session->logits()), golden.expected(prefix + "logits"));
    expect_continuation(*session, golden.ids(prefix + "tokens"));
  }
}

void expect_llava_1_6(const Model& model) {
  const GoldenFolder golden("llava_next_original");
  const auto& llava = dynamic_cast<const LlavaModel&>(model);
  for (int i = 0; i < 2; ++i) {
    const std::string number = std::to_string(i);
    const auto picture = golden.picture(i);
    expect_close(llava.prepare(*picture), golden.expected("pixels" + number), 1e-6);
    const Tensor features = llava.read_picture(*picture);
    expect_close(features, golden.expected("features" + number));
    const ChatMessage message = user({{.image = picture}, {.text = kQuestion}});
    const std::vector<int64_t> rows = {features.dim(0)};
    EXPECT_EQ(llava.write_tokens({&message, 1}, rows), expanded(golden.ids("ids" + number), rows));
    const auto session = model.start({&message, 1});
    expect_close(as_tensor(session->logits()), golden.expected("logits" + number));
    expect_continuation(*session, golden.ids("tokens" + number));
  }
}

TEST(GoldenLayouts, OriginalLlavaWithItsTowerApart) {
  expect_llava_1_5(*load_model(golden_path("llava_original"), DType::f32));
}

TEST(GoldenLayouts, OriginalLlavaNextWithItsTowerInside) {
  expect_llava_1_6(*load_model(golden_path("llava_next_original"), DType::f32));
}

// The golden LLaVA-OneVision as its own repository saves it: SigLIP with one block more in its own folder, or without it in the
// model's files.
enum class TowerPlace : uint8_t { inside, apart };

void make_original_onevision(const ChangedFolder& folder, TowerPlace place) {
  const fs::path tower = folder.path() / "siglip-tiny-patch7-21";
  fs::create_directory(tower);
  fs::rename(folder.path() / "preprocessor_config.json", tower / "preprocessor_config.json");
  fs::remove(folder.path() / "chat_template.jinja");
  std::vector<io::NamedTensor> outside;
  folder.rewrite([&](io::NamedTensor& tensor) {
    const auto replace = [&](const std::string& from, const std::string& to) {
      if (!tensor.name.starts_with(from)) return;
      tensor.name = to + tensor.name.substr(from.size());
    };
    replace("image_newline", "model.image_newline");
    replace("language_model.model.", "model.");
    replace("multi_modal_projector.linear_1.", "model.mm_projector.0.");
    replace("multi_modal_projector.linear_2.", "model.mm_projector.2.");
    replace("vision_tower.", "model.vision_tower.vision_tower.vision_model.");
    const std::string prefix = "model.vision_tower.vision_tower.";
    if (place == TowerPlace::inside || !tensor.name.starts_with(prefix)) return;
    outside.push_back({tensor.name.substr(prefix.size()), tensor.tensor});
    const std::string last = "vision_model.encoder.layers.1.";
    if (outside.back().name.starts_with(last)) {  // the one that is not used, with other numbers
      outside.push_back({"vision_model.encoder.layers.2." + outside.back().name.substr(last.size()),
                         Tensor::full(tensor.tensor.shape(), 7.0f)});
    }
    tensor.name.clear();
  });
  if (place == TowerPlace::apart) {
    outside.push_back({"vision_model.head.probe", Tensor::full({1, 1, 32}, 7.0f)});
    io::write_safetensors(tower / "model.safetensors", outside, {{"format", "pt"}});
  }
  folder.configure([&](Json& config) {
    Json vision = config.at("vision_config");
    vision["num_hidden_layers"] = 3;
    write_file_atomic(tower / "config.json", Json{{"model_type", "siglip"}, {"vision_config", vision}}.dump());
    Json text = config.at("text_config");
    Json grids = Json::array();
    for (const Json& pair : config.at("image_grid_pinpoints")) grids.push_back({pair[1], pair[0]});
    text.update({{"model_type", "llava"},
                 {"architectures", {"LlavaQwenForCausalLM"}},
                 {"mm_vision_tower", "somebody/siglip-tiny-patch7-21"},
                 {"mm_projector_type", "mlp2x_gelu"},
                 {"mm_vision_select_layer", -2},
                 {"mm_vision_select_feature", "patch"},
                 {"mm_patch_merge_type", "spatial_unpad"},
                 {"image_aspect_ratio", "anyres_max_2"},
                 {"image_grid_pinpoints", grids}});
    config = text;
  });
}

TEST(GoldenLayouts, OriginalLlavaOnevision) {
  const GoldenFolder golden("llava_onevision");
  const LoadOptions options{.compute = DType::f32, .chat_template = "qwen"};
  const auto reference = load_model(golden.path(), options);
  std::vector<std::shared_ptr<const media::Image>> frames;
  for (int i = 0; i < 3; ++i) {
    frames.push_back(std::make_shared<media::Image>(media::load_image(golden.path() / fmt::format("frame{}.png", i))));
  }
  for (const TowerPlace place : {TowerPlace::inside, TowerPlace::apart}) {
    const ChangedFolder folder("llava_onevision");
    make_original_onevision(folder, place);
    const auto model = load_model(folder.path(), DType::f32);
    const auto& llava = dynamic_cast<const LlavaModel&>(*model);
    EXPECT_EQ(model->describe().at("chat_template"), "qwen");
    for (int i = 0; i < 3; ++i) {
      expect_close(llava.read_picture(*golden.picture(i)), golden.expected(fmt::format("features{}", i)));
    }
    expect_close(llava.read_video(frames), golden.expected("video.features"));
    // One picture, several, a film between two texts.
    for (const ChatMessage& message :
         {user({{.image = golden.picture(0)}, {.text = kQuestion}}),
          user({{.image = golden.picture(0)}, {.image = golden.picture(1)}, {.text = kQuestion}}),
          user({{.frames = frames}, {.text = kQuestion}})}) {
      const auto session = model->start({&message, 1}), same = reference->start({&message, 1});
      EXPECT_EQ(session->prompt_tokens(), same->prompt_tokens());
      expect_close(as_tensor(session->logits()), as_tensor(same->logits()), 1e-6);
    }
  }
  // All grids from the first to the last.
  const ChangedFolder folder("llava_onevision");
  make_original_onevision(folder, TowerPlace::inside);
  folder.configure([](Json& config) { config["image_grid_pinpoints"] = "(1x1),...,(3x3)"; });
  const auto model = load_model(folder.path(), DType::f32);
  expect_close(dynamic_cast<const LlavaModel&>(*model).read_picture(*golden.picture(0)), golden.expected("features0"));
  const auto error_with = [](const char* key, const Json& value) {
    const ChangedFolder other("llava_onevision");
    make_original_onevision(other, TowerPlace::inside);
    other.configure([&](Json& config) { config[key] = value; });
    return other.error().message();
  };
  expect_contains(error_with("image_grid_pinpoints", "(1x1)"), {"image_grid_pinpoints", "(1x1),...,(6x6)"});
  expect_contains(error_with("mm_newline_position", "grid"), {"mm_newline_position", "grid", "one_token"});
  expect_contains(error_with("image_aspect_ratio", "anyres_max_x"), {"anyres_max_x"});
}

TEST(GoldenLayouts, GgufPairAsFolderAndAsFile) {
  const fs::path folder = golden_path("llava_gguf");
  expect_llava_1_5(*load_model(folder, DType::f32));
  expect_llava_1_5(*load_model(folder / "llava-tiny-f16.gguf", DType::f32));
}

TEST(GoldenLayouts, GgufPairWithTiles) {
  const fs::path folder = golden_path("llava_next_gguf");
  // GGUF does not say that the decoder is a Mistral.
  expect_llava_1_6(*load_model(folder, LoadOptions{.compute = DType::f32, .chat_template = "mistral"}));
}

class GoldenGguf : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenGguf, IsTheModelThatItWasMadeFrom) {
  const GoldenFolder golden(GetParam());
  const fs::path file = golden_path("gguf") / (std::string(GetParam()) + ".gguf");
  const auto model = load_model(file, DType::f32);
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  expect_close(as_tensor(session->logits()), last_row(golden.expected("logits")));
  expect_continuation(*session, golden.ids("tokens"));
  const auto checkpoint = Checkpoint::open(file, {});
  const auto tokenizer = checkpoint->tokenizer();
  const ChatPromptWriter prompts(*checkpoint, *tokenizer, GetParam(), {});
  EXPECT_EQ(prompts.write({&message, 1}), golden.ids("ids"));
  EXPECT_EQ(prompts.name(), "the checkpoint's own");
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenGguf, ::testing::Values("llama", "qwen2"),
                         [](const auto& family) { return std::string(family.param); });

// The same model with matrices of a type.
void write_quantised(const fs::path& to, const fs::path& from, io::GgufType type) {
  const io::GgufFile file = io::GgufFile::open(from);
  std::vector<io::GgufEntry> metadata;
  for (const std::string& key : file.keys()) metadata.push_back({key, file.value(key)});
  std::vector<io::GgufOutput> tensors;
  for (const std::string& name : file.names()) {
    const io::GgufTensor& tensor = file.blocks(name);
    const bool fits = tensor.shape.rank() == 2 && tensor.shape[1] % 32 == 0;
    tensors.push_back({name, fits ? type : io::GgufType::f32, file.tensor(name)});
  }
  io::write_gguf(to, metadata, tensors);
}

// What a parameter's tensors in the file stand for, one behind the other.
Tensor joined(const TensorFiles& files, const std::vector<std::string>& names) {
  std::vector<Tensor> parts;
  for (const std::string& name : names) parts.push_back(files.read(name));
  return ops::concat_rows(parts);
}

std::vector<float> logits_of(const fs::path& file) {
  const auto model = load_model(file, DType::f32);
  const ChatMessage message = user({{.text = kQuestion}});
  const auto session = model->start({&message, 1});
  return {session->logits().begin(), session->logits().end()};
}

// Matrices in blocks are packed while they load, exactly where the layout has the numbers; rows of queries and keys are put in
// order. The answer is that of the same numbers in f32, but for activations that are rounded to 8 bits.
TEST(Layouts, QuantisedGguf) {
  const ChangedFolder folder("gguf");
  const fs::path packed_file = folder.path() / "packed.gguf", plain_file = folder.path() / "plain.gguf";
  const struct {
    io::GgufType type;
    const char* held;
    bool exact;
  } cases[] = {{io::GgufType::q8_0, "q8/32", true},
               {io::GgufType::q5_1, "q8/32", false},
               {io::GgufType::q4_0, "q4/32", true},
               {io::GgufType::q4_1, "q4/32 + offsets", false}};
  for (const auto& c : cases) {
    write_quantised(packed_file, golden_path("gguf") / "llama.gguf", c.type);
    write_quantised(plain_file, packed_file, io::GgufType::f32);
    const std::vector<float> expected = logits_of(plain_file);
    expect_close(as_tensor(logits_of(packed_file)), as_tensor(expected), 0.05);
    const auto model = load_model(packed_file, DType::f32);
    const TensorFiles files = Checkpoint::open(packed_file, {})->weights();
    int compared = 0;
    for (const nn::PackedParameter& parameter : model->store().packed()) {
      EXPECT_EQ(ops::name_of(parameter.value), c.held) << parameter.name;
      if (!parameter.name.ends_with("0.attention.qkv.weight") || !c.exact) continue;
      const std::string layer = "model.layers.0.self_attn.";
      const Tensor wanted = joined(files, {layer + "q_proj.weight", layer + "k_proj.weight", layer + "v_proj.weight"});
      expect_close(ops::unpack(parameter.value, DType::f32), wanted, 0);
      ++compared;
    }
    EXPECT_EQ(compared, c.exact ? 1 : 0);
  }
}

// What packing takes is known before anything is packed.
TEST(Layouts, MemoryOfQuantisedGgufIsPredicted) {
  const ChangedFolder folder("gguf");
  const fs::path file = folder.path() / "packed.gguf";
  write_quantised(file, golden_path("gguf") / "llama.gguf", io::GgufType::q4_0);
  int64_t held = 0;
  for (const nn::PackedParameter& parameter : load_model(file)->store().packed()) {
    held += static_cast<int64_t>(parameter.value.bytes.bytes());
  }
  EXPECT_GT(held, 0);
  const Error error = error_of([&] { load_model(file, LoadOptions{.memory_limit = held}); });
  EXPECT_EQ(error.kind(), ErrorKind::limit);
  expect_contains(error.message(), {"of memory", "for weights", bytes_text(held)});
  EXPECT_NO_THROW(load_model(file, LoadOptions{.memory_limit = 2 * held + (64 << 20)}));
}

TEST(Layouts, HeadRowsComeBack) {
  Rng rng(3);
  const Tensor weight = Tensor::randn({24, 5}, rng);
  const Tensor pairs = reorder_head_rows(weight, 3, HeadRows::pairs);
  EXPECT_NE(pairs.to_floats(), weight.to_floats());
  EXPECT_EQ(reorder_head_rows(pairs, 3, HeadRows::halves).to_floats(), weight.to_floats());
  EXPECT_EQ(pairs.slice(1, 2).to_floats(), weight.slice(4, 5).to_floats());  // the first of the second half
  EXPECT_EQ(error_of([&] { reorder_head_rows(weight, 5, HeadRows::pairs); }).kind(), ErrorKind::shape);
}

TEST(Layouts, NamesGoBothWays) {
  for (const auto names : {gguf_decoder_names(), gguf_vision_names()}) {
    for (const NamePair& pair : names) {
      const std::string ours = rename(pair.ours, pair.ours, std::string(pair.ours)).value_or("") + ".weight";
      std::string numbered = pair.ours;
      if (const size_t star = numbered.find('*'); star != std::string::npos) numbered.replace(star, 1, "17");
      numbered += ".weight";
      const auto theirs = to_theirs(names, numbered);
      ASSERT_TRUE(theirs.has_value()) << numbered;
      EXPECT_EQ(to_ours(names, *theirs), numbered);
    }
  }
}

TEST(Layouts, TheTowerIsLookedFor) {
  const ChangedFolder folder("llava_original");
  const fs::path tower = folder.path() / "clip-vit-tiny-patch7-28", elsewhere = folder.path() / "elsewhere",
                 beside = folder.path().parent_path() / tower.filename();
  fs::rename(tower, elsewhere);
  const Error error = folder.error();
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  expect_contains(error.message(), {"openai/clip-vit-tiny-patch7-28", "--tower", tower.string()});
  expect_llava_1_5(*load_model(folder.path(), LoadOptions{.compute = DType::f32, .tower = elsewhere}));
  const Error wrong = error_of([&] { load_model(folder.path(), LoadOptions{.tower = folder.path() / "nowhere"}); });
  expect_contains(wrong.message(), {"nowhere", "vision tower"});
  fs::rename(elsewhere, beside);
  expect_llava_1_5(*load_model(folder.path(), DType::f32));
  fs::remove_all(beside);
}

TEST(Layouts, ConfigurationsOfTheOriginalThatDoNotFit) {
  const auto error_with = [](const char* key, const Json& value) {
    const ChangedFolder folder("llava_original");
    folder.configure([&](Json& config) { config[key] = value; });
    return folder.error().message();
  };
  expect_contains(error_with("mm_projector_type", "linear"), {"mm_projector_type", "linear", "mlp2x_gelu"});
  expect_contains(error_with("image_aspect_ratio", "round"), {"image_aspect_ratio", "round", "anyres"});
  expect_contains(error_with("image_aspect_ratio", "anyres"), {"mm_patch_merge_type", "flat"});
  expect_contains(error_with("model_type", "llava_mpt"), {"llava_mpt", "llava_llama"});
  expect_contains(error_with("mm_vision_select_feature", "cls"), {"mm_vision_select_feature"});
  expect_contains(error_with("mm_use_im_start_end", true), {"mm_use_im_start_end"});
}

TEST(Layouts, MissingShardsAndTensorsAreNamed) {
  const ChangedFolder shard("llava_original");
  fs::remove(shard.path() / "pytorch_model-00002-of-00002.bin");
  expect_contains(shard.error().message(), {"pytorch_model-00002-of-00002.bin", "missing"});
  // In the names of the file itself.
  const ChangedFolder gguf("llava_gguf");
  const fs::path vision = gguf.path() / "mmproj-model-f16.gguf";
  const io::GgufFile file = io::GgufFile::open(vision);
  std::vector<io::GgufEntry> metadata;
  for (const std::string& key : file.keys()) metadata.push_back({key, file.value(key)});
  std::vector<io::GgufOutput> tensors;
  for (const std::string& name : file.names()) {
    if (name != "mm.2.weight") tensors.push_back({name, file.blocks(name).type, file.blocks(name)});
  }
  io::write_gguf(vision, metadata, tensors);
  expect_contains(gguf.error().message(), {"1 tensor is missing: mm.2.weight"});
}

TEST(Layouts, GgufFoldersThatDoNotFit) {
  const ChangedFolder no_vision("llava_gguf");
  fs::remove(no_vision.path() / "mmproj-model-f16.gguf");
  const auto model = load_model(no_vision.path(), DType::f32);  // the language model alone
  const ChatMessage message = user({{.image = std::make_shared<media::Image>(tiny_image(1))}, {.text = kQuestion}});
  EXPECT_EQ(error_of([&] { model->start({&message, 1}); }).kind(), ErrorKind::usage);

  const ChangedFolder no_model("llava_gguf");
  fs::rename(no_model.path() / "llava-tiny-f16.gguf", no_model.path() / "mmproj-2.gguf");
  expect_contains(no_model.error().message(), {"language model is missing"});
  const ChangedFolder two("llava_gguf");
  fs::copy(two.path() / "llava-tiny-f16.gguf", two.path() / "other.gguf");
  expect_contains(two.error().message(), {"several models", "other.gguf"});
  const ChangedFolder towers("llava_gguf");
  fs::copy(towers.path() / "mmproj-model-f16.gguf", towers.path() / "mmproj-other.gguf");
  expect_contains(towers.error().message(), {"several vision towers", "--mmproj"});
  EXPECT_NO_THROW(load_model(towers.path(), LoadOptions{.mmproj = towers.path() / "mmproj-other.gguf"}));
  expect_contains(error_of([&] { load_model(towers.path() / "mmproj-model-f16.gguf"); }).message(), {"vision tower"});
  const fs::path language = towers.path() / "llava-tiny-f16.gguf";
  expect_contains(error_of([&] { load_model(language, LoadOptions{.mmproj = language}); }).message(),
                  {"no file of a vision"});
}

// Cut off at every 4 KB, files of weights give an error that names the file, and nothing worse.
TEST(Layouts, FilesThatAreCutOff) {
  for (const auto& [family, file] :
       {std::pair("llama", "model.safetensors"), std::pair("llama", "tokenizer.json"),
        std::pair("llava_original", "pytorch_model-00001-of-00002.bin"), std::pair("llava_original", "tokenizer.model"),
        std::pair("llava_original", "clip-vit-tiny-patch7-28/pytorch_model.bin"),
        std::pair("llava_gguf", "llava-tiny-f16.gguf"), std::pair("llava_gguf", "mmproj-model-f16.gguf")}) {
    const ChangedFolder folder(family);
    const std::string bytes = read_file(folder.path() / file);
    for (size_t size = 0; size < bytes.size(); size += 4096) {
      write_file_atomic(folder.path() / file, bytes.substr(0, size));
      const std::string message = folder.error().message();
      EXPECT_NE(message.find(fs::path(file).filename().string()), std::string::npos) << size << ": " << message;
    }
  }
}

// A flipped bit in what describes the tensors gives another model or an error, and nothing worse.
TEST(Layouts, FilesWithFlippedBits) {
  for (const auto& [family, file, end] : {std::tuple("llama", "model.safetensors", size_t{3000}),
                                          std::tuple("llava_gguf", "mmproj-model-f16.gguf", size_t{2500}),
                                          std::tuple("gguf", "llama.gguf", size_t{12000})}) {
    const ChangedFolder folder(family);
    const fs::path path = folder.path() / file;
    const std::string bytes = read_file(path);
    int refused = 0;
    for (size_t at = 0; at < std::min(end, bytes.size()); at += 37) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      write_file_atomic(path, changed);
      try {
        load_model(std::string(family) == "gguf" ? path : folder.path(), DType::f32);
      } catch (const Error&) {
        ++refused;
      }
    }
    EXPECT_GT(refused, 0) << file;
  }
}

}  // namespace
}  // namespace sensorium::models
