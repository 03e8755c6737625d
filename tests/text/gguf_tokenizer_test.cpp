// Tokenizers in GGUF metadata: the same ids as the tokenizer that the file was made from (tools/golden/models_layouts.py).
#include "text/gguf_tokenizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "text/golden_strings.h"
#include "text/registry.h"
#include "text/sentencepiece_tokenizer.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kModels = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models";

void expect_same_ids(const Tokenizer& tokenizer, const Tokenizer& source) {
  int compared = 0;
  for (const Json& item :
       read_json_file(std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text/strings.json")) {
    const std::string text = expand(item);
    const std::vector<int32_t> ids = tokenizer.encode(text);
    ASSERT_EQ(ids, source.encode(text)) << text;
    EXPECT_EQ(tokenizer.decode(ids), source.decode(ids)) << text;
    EXPECT_EQ(tokenizer.encode(text, {.affixes = Affixes::model}), source.encode(text, {.affixes = Affixes::model}));
    ++compared;
  }
  EXPECT_GT(compared, 100);
}

TEST(GoldenGgufTokenizer, SentencePiece) {
  const auto source = parse_sentencepiece(read_file(kModels / "llava_original/tokenizer.model")).value();
  expect_same_ids(*load_tokenizer(kModels / "llava_gguf/llava-tiny-f16.gguf"), *source);
}

// Rows of the embedding behind the vocabulary: said, they add nothing.
TEST(GgufTokenizer, UnusedTokensAreNoText) {
  for (const char* file : {"gguf/llama.gguf", "gguf/qwen2.gguf"}) {
    const auto tokenizer = load_tokenizer(kModels / file);
    EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{335}), "") << file;
    EXPECT_GT(tokenizer->encode("[PAD335]").size(), 1u) << file;
  }
}

TEST(GoldenGgufTokenizer, ByteLevelBpe) {
  expect_same_ids(*load_tokenizer(kModels / "gguf/qwen2.gguf"), *load_tokenizer(kModels / "qwen2"));
}

// The metadata of a golden file with one entry changed or, with an empty list, left out.
class ChangedMetadata {
 public:
  ChangedMetadata(const std::string& file, const std::string& key, const std::vector<io::GgufValue>& value)
      : path_(std::filesystem::path(testing::TempDir()) / fmt::format("metadata_{}.gguf", ::getpid())) {
    const io::GgufFile source = io::GgufFile::open(kModels / file);
    std::vector<io::GgufEntry> entries;
    for (const std::string& name : source.keys()) {
      if (name != key) entries.push_back({name, source.value(name)});
    }
    if (!value.empty()) entries.push_back({key, value[0]});
    io::write_gguf(path_, entries, {});
  }
  ~ChangedMetadata() { std::filesystem::remove(path_); }
  Error error() const { return read_gguf_tokenizer(path_).error(); }

 private:
  std::filesystem::path path_;
};

TEST(GgufTokenizer, MetadataThatDoNotFit) {
  const std::string llama = "gguf/llama.gguf", qwen2 = "gguf/qwen2.gguf";
  const auto expect_error = [](const ChangedMetadata& changed, ErrorKind kind, const std::string& part) {
    const Error error = changed.error();
    EXPECT_EQ(error.kind(), kind) << error.message();
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
  };
  using io::GgufValue;
  expect_error({llama, "tokenizer.ggml.model", {}}, ErrorKind::invalid_data, "no tokenizer");
  expect_error({llama, "tokenizer.ggml.model", {GgufValue::of("t5")}}, ErrorKind::unsupported, "\"t5\"");
  expect_error({llama, "tokenizer.ggml.tokens", {}}, ErrorKind::invalid_data, "tokenizer.ggml.tokens");
  expect_error({llama, "tokenizer.ggml.scores", {GgufValue::array(std::vector<float>{1, 2})}}, ErrorKind::invalid_data,
               "2 values for 336 tokens");
  expect_error({llama, "tokenizer.ggml.token_type", {GgufValue::array(std::vector<int32_t>(336, 9))}},
               ErrorKind::invalid_data, "holds 9");
  expect_error({llama, "tokenizer.ggml.bos_token_id", {GgufValue::of(uint32_t{336})}}, ErrorKind::invalid_data,
               "bos_token_id");
  expect_error({qwen2, "tokenizer.ggml.pre", {GgufValue::of("deepseek-llm")}}, ErrorKind::unsupported, "deepseek-llm");
  expect_error({qwen2, "tokenizer.ggml.merges", {}}, ErrorKind::invalid_data, "merges");
  expect_error({qwen2, "tokenizer.ggml.merges", {GgufValue::array(std::vector<std::string>{"no such"})}},
               ErrorKind::invalid_data, "no");
}

TEST(GgufTokenizer, TheTemplateKnowsTheTokens) {
  const io::GgufFile file = io::GgufFile::open(kModels / "gguf/llama.gguf");
  const auto chat = chat_template_from_gguf(file).value();
  ASSERT_TRUE(chat.has_value());
  const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", "Hi"}}});
  EXPECT_EQ(chat->render(messages).value().text, "<s>USER: Hi ASSISTANT:");
  EXPECT_FALSE(
      chat_template_from_gguf(io::GgufFile::open(kModels / "llava_gguf/llava-tiny-f16.gguf")).value().has_value());
}

}  // namespace
}  // namespace sensorium::text
