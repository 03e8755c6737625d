// vocab.json and merges.txt give what the tokenizer.json made from them gives.
#include "text/vocab_merges.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "text/golden_strings.h"
#include "text/registry.h"
#include "text/tokenizer_json.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text";

class VocabMerges : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              fmt::format("vocab_{}", testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, std::string_view text) const { write_file_atomic(folder_ / name, text); }

  // The pair of files that a golden tokenizer.json was made from.
  void write_pair(const std::string& name) const {
    const auto tokenizer = parse_tokenizer_json(read_file(kFolder / (name + ".tokenizer.json"))).value();
    const BpeModel& model = tokenizer->model();
    Json vocab = Json::object();
    for (int32_t id = 0; id < model.vocab().size(); ++id) vocab[std::string(model.vocab().token(id))] = id;
    std::string merges = "#version: 0.2\n";
    for (const MergeRule& rule : model.merges()) {
      merges += fmt::format("{} {}\n", model.vocab().token(rule.left), model.vocab().token(rule.right));
    }
    write("vocab.json", vocab.dump());
    write("merges.txt", merges);
  }

  void expect_golden(const std::string& name) const {
    const auto tokenizer = load_tokenizer(folder_);
    const Json strings = read_json_file(kFolder / "strings.json");
    const Json rows = read_json_file(kFolder / (name + ".expected.json"));
    for (size_t i = 0; i < strings.size(); ++i) {
      const std::string text = expand(strings[i]);
      const std::string what = fmt::format("{} string {} '{}'", name, i, text.substr(0, 200));
      expect_ids(tokenizer->encode(text, {Specials::parse, Affixes::model}), rows[i]["parsed"], what);
      expect_ids(tokenizer->encode(text), rows[i]["plain"], what);
    }
  }

  std::filesystem::path folder_;
};

class GoldenVocabMerges : public VocabMerges {};

TEST_F(GoldenVocabMerges, Gpt2) {
  write_pair("gpt2");
  expect_golden("gpt2");
  write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": false})");
  expect_golden("gpt2");
}

TEST_F(GoldenVocabMerges, Clip) {
  write_pair("clip");
  expect_golden("clip");
  write("tokenizer_config.json",
        R"({"tokenizer_class": "CLIPTokenizer", "bos_token": {"content": "<|startoftext|>", "normalized": true},
            "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"})");
  expect_golden("clip");
  const auto tokenizer = load_tokenizer(folder_);
  const auto ids = tokenizer->encode("A red circle, 12 caf\xC3\xA9s", {Specials::parse, Affixes::model});
  EXPECT_EQ(tokenizer->decode(ids), "a red circle , 1 2 caf\xC3\xA9s ");
}

TEST_F(GoldenVocabMerges, Qwen2) {
  write_pair("qwen2");
  const auto reference = load_tokenizer(kFolder / "qwen2.tokenizer.json");
  Json added = Json::object();
  for (const SpecialToken& token : reference->special_tokens()) {
    added[std::to_string(token.id)] = {{"content", token.text}, {"special", token.control}};
  }
  write("tokenizer_config.json",
        Json{{"tokenizer_class", "Qwen2Tokenizer"}, {"added_tokens_decoder", added}, {"bos_token", nullptr}}.dump());
  expect_golden("qwen2");
}

TEST_F(VocabMerges, AnUnknownClassIsNamed) {
  write_pair("gpt2");
  write("tokenizer_config.json", R"({"tokenizer_class": "BloomTokenizerFast"})");
  try {
    load_tokenizer(folder_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(error.message().find("BloomTokenizer"), std::string::npos) << error.what();
  }
}

TEST_F(VocabMerges, BrokenFilesAreErrors) {
  const auto error_of = [](std::string_view vocab, std::string_view merges) {
    const auto result = parse_vocab_merges(vocab, merges, {});
    return result ? ErrorKind::usage : result.error().kind();
  };
  EXPECT_EQ(error_of(R"({"a": 0, "b": 1, "ab": 2})", "a b\n"), ErrorKind::usage);  // this one can be read
  EXPECT_EQ(error_of(R"({"a": 0})", "a b\n"), ErrorKind::invalid_data);
  EXPECT_EQ(error_of(R"({"a": 0})", "abc\n"), ErrorKind::invalid_data);
  EXPECT_EQ(error_of(R"({"a": 0})", "\xFF"), ErrorKind::invalid_data);
  EXPECT_EQ(error_of(R"({"a": "0"})", ""), ErrorKind::invalid_data);
  EXPECT_EQ(error_of("[]", ""), ErrorKind::invalid_data);
  EXPECT_EQ(error_of("{", ""), ErrorKind::invalid_data);
  write("vocab.json", R"({"a": 0})");
  EXPECT_THROW(load_tokenizer(folder_), Error);  // merges.txt is missing
}

TEST_F(VocabMerges, AFolderWithoutATokenizerSaysWhatWasLookedFor) {
  try {
    load_tokenizer(folder_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    for (const TokenizerFormat& format : tokenizer_formats()) {
      EXPECT_NE(error.message().find(format.file_name), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(load_tokenizer(folder_ / "nosuch"), Error);
}

}  // namespace
}  // namespace sensorium::text
