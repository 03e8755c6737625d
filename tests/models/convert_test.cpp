// Checkpoints converted between layouts: the same weights, tokens and logits.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "io/checkpoint_folder.h"
#include "io/gguf.h"
#include "models/changed_folder.h"
#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/write.h"
#include "models/gguf/write.h"
#include "models/golden_folder.h"
#include "models/llava/model.h"
#include "models/tiny_model.h"

namespace sensorium::models {
namespace {
namespace fs = std::filesystem;

class Convert : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              fmt::format("convert_{}_{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path to_gguf(const fs::path& from, std::optional<io::GgufType> type = {}) const {
    const fs::path to = folder_ / (from.filename().string() + ".gguf_pair");
    fs::create_directories(to);
    write_gguf_model(*Checkpoint::open(from, {}), to, type);
    return to;
  }
  fs::path to_huggingface(const fs::path& from, std::optional<DType> dtype = {}) const {
    const fs::path to = folder_ / (from.filename().string() + ".hf");
    fs::create_directories(to);
    write_huggingface(*Checkpoint::open(from, {}), to, dtype);
    return to;
  }

  fs::path folder_;
};
class GoldenConvert : public Convert {};

const std::vector<std::string> kTexts = {
    "How many dogs are there?",
    "  two  spaces\tand\na line ",
    "\xF0\x9F\x98\x80 na\xC3\xAFve \xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87 1234567",
    "</s><s>[INST] <image> <|im_end|>",
    "",
    std::string("nul\0byte", 8)};

void expect_same_tokens(const text::Tokenizer& a, const text::Tokenizer& b) {
  for (const std::string& text : kTexts) {
    for (const text::Specials specials : {text::Specials::as_text, text::Specials::parse}) {
      for (const text::Affixes affixes : {text::Affixes::none, text::Affixes::model}) {
        const text::EncodeOptions options{.specials = specials, .affixes = affixes};
        EXPECT_EQ(a.encode(text, options), b.encode(text, options)) << text;
      }
    }
    const std::vector<int32_t> ids = a.encode(text);
    EXPECT_EQ(a.decode(ids), b.decode(ids)) << text;
  }
}

std::vector<float> logits_of(const Model& model, std::vector<ChatPart> parts) {
  const ChatMessage message = user(std::move(parts));
  const auto session = model.start({&message, 1});
  const std::span<const float> logits = session->logits();
  return {logits.begin(), logits.end()};
}

// Every tensor that is in both, bit for bit; gives their count.
size_t expect_same_tensors(const fs::path& a, const fs::path& b) {
  const TensorFiles first = Checkpoint::open(a, {})->weights(), second = Checkpoint::open(b, {})->weights();
  const auto ending = [](const std::string& name) {
    const size_t at = std::min(name.find("layers."), name.find("embed"));
    return name.substr(at == std::string::npos ? name.rfind('.', name.rfind('.') - 1) + 1 : at);
  };
  std::map<std::string, std::string> names;
  const auto part = [](const std::string& name) {
    return name.find("vision_tower") != std::string::npos ? "v " : "t ";
  };
  for (const auto& [name, entry] : second.entries()) names[part(name) + ending(name)] = name;
  size_t same = 0;
  for (const auto& [name, entry] : first.entries()) {
    const auto found = names.find(part(name) + ending(name));
    if (found == names.end()) continue;
    const Tensor x = first.read(name), y = second.read(found->second);
    EXPECT_EQ(x.shape(), y.shape()) << name;
    EXPECT_EQ(x.to_floats(), y.to_floats()) << name;
    ++same;
  }
  return same;
}

TEST_F(GoldenConvert, DecodersThereAndBack) {
  for (const char* family : {"llama", "mistral", "qwen2"}) {
    SCOPED_TRACE(family);
    const fs::path original = golden_path(family), pair = to_gguf(original), back = to_huggingface(pair);
    const auto before = load_model(original, DType::f32), between = load_model(pair, DType::f32),
               after = load_model(back, DType::f32);
    expect_same_tokens(before->tokenizer(), between->tokenizer());
    expect_same_tokens(before->tokenizer(), after->tokenizer());
    for (const Model* model : {between.get(), after.get()}) {
      const auto [expected, tokens] = before->text_nll(kTexts[0]);
      EXPECT_NEAR(model->text_nll(kTexts[0]).first, expected, 1e-5 * expected);
      EXPECT_EQ(model->text_nll(kTexts[0]).second, tokens);
    }
    const size_t count = Checkpoint::open(original, {})->weights().entries().size();
    EXPECT_EQ(expect_same_tensors(original, pair), count);
    EXPECT_EQ(expect_same_tensors(original, back), count);
  }
}

// The pair pads pictures to a square, as the format's programs do; the folder that is made of it does so too.
TEST_F(GoldenConvert, LlavaThereAndBack) {
  for (const char* family : {"llava", "llava_next"}) {
    SCOPED_TRACE(family);
    const GoldenFolder golden(family);
    const fs::path original = golden.path(), pair = to_gguf(original), back = to_huggingface(pair);
    EXPECT_TRUE(fs::exists(pair / "model.gguf") && fs::exists(pair / "mmproj.gguf"));
    const auto before = load_model(original, DType::f32), between = load_model(pair, DType::f32),
               after = load_model(back, DType::f32);
    expect_same_tokens(before->tokenizer(), between->tokenizer());
    expect_same_tokens(before->tokenizer(), after->tokenizer());
    const auto picture = golden.picture(0);
    const std::vector<ChatPart> question = {{.image = picture}, {.text = kQuestion}};
    const std::vector<float> expected = logits_of(*between, question);
    expect_close(as_tensor(logits_of(*after, question)), as_tensor(expected), 1e-6);
    // On the same pixels the features are those of the original.
    const auto& first = dynamic_cast<const LlavaModel&>(*before);
    const auto& second = dynamic_cast<const LlavaModel&>(*between);
    const media::Image square = tiny_image(3, 28, 28);
    expect_close(second.read_picture(square), first.read_picture(square), 1e-5);
    EXPECT_GT(expect_same_tensors(original, pair), 30u);
    EXPECT_EQ(expect_same_tensors(pair, back), Checkpoint::open(pair, {})->weights().entries().size());
  }
}

TEST_F(GoldenConvert, QuantizedTypesStayClose) {
  const fs::path original = golden_path("llama");
  const auto [expected, tokens] = load_model(original, DType::f32)->text_nll(kTexts[0]);
  const struct {
    io::GgufType type, written;  // rows of 32 are no block of 256
    double tolerance;
  } cases[] = {{io::GgufType::f16, io::GgufType::f16, 1e-3},   {io::GgufType::q8_0, io::GgufType::q8_0, 0.01},
               {io::GgufType::q6_k, io::GgufType::q8_0, 0.01}, {io::GgufType::q5_k, io::GgufType::q5_1, 0.05},
               {io::GgufType::q4_k, io::GgufType::q5_0, 0.05}, {io::GgufType::q4_0, io::GgufType::q4_0, 0.1}};
  for (const auto& c : cases) {
    SCOPED_TRACE(io::info_of(c.type).name);
    fs::remove_all(folder_);
    const fs::path pair = to_gguf(original, c.type);
    const io::GgufFile file = io::GgufFile::open(pair / "model.gguf");
    EXPECT_EQ(file.blocks("blk.0.attn_q.weight").type, c.written);
    EXPECT_EQ(file.blocks("blk.0.attn_norm.weight").type, io::GgufType::f32);
    EXPECT_NEAR(load_model(pair, DType::f32)->text_nll(kTexts[0]).first, expected, c.tolerance * expected);
  }
}

TEST_F(Convert, HalfPrecision) {
  const fs::path made = to_huggingface(golden_path("llama"), DType::f16);
  const io::CheckpointFolder files = io::CheckpointFolder::open(made);
  EXPECT_EQ(files.tensor("model.embed_tokens.weight").dtype(), DType::f16);
  EXPECT_EQ(read_json_file(made / "config.json").at("torch_dtype"), "float16");
  EXPECT_NO_THROW(load_model(made, DType::f32));
}

TEST_F(Convert, WhatTheFormatCannotExpressIsRefused) {
  const auto error = [&](const fs::path& from) { return error_of([&] { to_gguf(from); }); };
  // Its tokenizer has no token for pictures: prompts are cut at them.
  const Error original = error_of([&] { to_huggingface(golden_path("llava_original")); });
  EXPECT_EQ(original.kind(), ErrorKind::unsupported) << original.message();
  EXPECT_NE(original.message().find("no token of the vocabulary stands for a picture"), std::string::npos)
      << original.message();
  EXPECT_EQ(error(golden_path("clip")).kind(), ErrorKind::unsupported) << error(golden_path("clip")).message();
  {
    const ChangedFolder folder("llama");
    folder.rewrite([](io::NamedTensor& tensor) {
      if (tensor.name == "model.layers.1.mlp.up_proj.weight") tensor.name.clear();
    });
    EXPECT_EQ(error(folder.path()).kind(), ErrorKind::invalid_data);
    EXPECT_NE(error(folder.path()).message().find("blk.1.ffn_up.weight is missing"), std::string::npos)
        << error(folder.path()).message();
  }
  {
    const ChangedFolder folder("llama");
    folder.rewrite([](io::NamedTensor& tensor) {
      if (tensor.name == "model.layers.1.mlp.up_proj.weight") tensor.name = "model.layers.1.mlp.more.weight";
    });
    EXPECT_NE(error(folder.path()).message().find("model.layers.1.mlp.more.weight"), std::string::npos)
        << error(folder.path()).message();
  }
  {
    // A merge is gone: SentencePiece would make the piece all the same.
    const ChangedFolder folder("llama");
    Json tokenizer = read_json_file(folder.path() / "tokenizer.json");
    tokenizer["model"]["merges"].erase(tokenizer["model"]["merges"].begin());
    write_file_atomic(folder.path() / "tokenizer.json", tokenizer.dump());
    EXPECT_EQ(error(folder.path()).kind(), ErrorKind::unsupported);
    EXPECT_NE(error(folder.path()).message().find("not those of a SentencePiece model"), std::string::npos)
        << error(folder.path()).message();
  }
  {
    const ChangedFolder folder("qwen2");
    Json tokenizer = read_json_file(folder.path() / "tokenizer.json");
    tokenizer["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", "\\d"}}}, {"behavior", "Isolated"}, {"invert", false}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}}}}};
    write_file_atomic(folder.path() / "tokenizer.json", tokenizer.dump());
    EXPECT_NE(error(folder.path()).message().find("no name for the pre-tokenizer"), std::string::npos)
        << error(folder.path()).message();
  }
}

}  // namespace
}  // namespace sensorium::models
