#include "text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/threads.h"
#include "text/regex.h"
#include "text/tokenizer_json.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text";
constexpr std::string_view kO200kLike =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::vector<std::string> corpus() { return read_json_file(kFolder / "corpus.json").get<std::vector<std::string>>(); }

// Tokens by id, then merges as text: what two tokenizers must have in common.
std::vector<std::string> rules_of(const BpeTokenizer& tokenizer) {
  std::vector<std::string> rules;
  const Vocab& vocab = tokenizer.model().vocab();
  for (int32_t id = 0; id < vocab.size(); ++id) rules.emplace_back(vocab.token(id));
  for (const MergeRule& rule : tokenizer.model().merges()) {
    rules.push_back(fmt::format("{} + {}", vocab.token(rule.left), vocab.token(rule.right)));
  }
  return rules;
}

void expect_reference(const char* name, const TrainOptions& options) {
  const auto trained = train_bpe(corpus(), options);
  const auto reference = parse_tokenizer_json(read_file(kFolder / (std::string(name) + ".tokenizer.json"))).value();
  EXPECT_EQ(rules_of(*trained), rules_of(*reference)) << name;
}

TEST(GoldenTrainBpe, FindsTheMergesOfTheReference) {
  expect_reference("gpt2", {600, {"<|endoftext|>"}, std::string(kGpt2Pattern), 2});
  expect_reference(
      "llama3",
      {640, {"<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"}, std::string(kLlama3Pattern), 2});
  expect_reference("o200k", {560, {"<|endoftext|>"}, std::string(kO200kLike), 2});
}

TEST(TrainBpe, DoesNotDependOnThreadsOrOrder) {
  std::vector<std::string> texts = corpus();
  std::string long_text;
  for (int i = 0; i < 8; ++i) {
    for (const std::string& text : texts) long_text += text + "\n";
  }
  texts.push_back(long_text);
  const TrainOptions options{700, {"<s>"}, std::string(kLlama3Pattern), 2};
  const auto first = rules_of(*train_bpe(texts, options));
  std::reverse(texts.begin(), texts.end());
  const int threads = thread_count();
  set_thread_count(threads == 1 ? 3 : 1);
  const auto second = rules_of(*train_bpe(texts, options));
  set_thread_count(threads);
  EXPECT_EQ(first, second);
}

TEST(TrainBpe, EncodesWhatItLearned) {
  const std::vector<std::string> texts = {"low low low low lower lower newest newest newest widest"};
  const auto tokenizer = train_bpe(texts, {270, {"<pad>", "<eos>"}, std::string(kGpt2Pattern), 2});
  EXPECT_EQ(tokenizer->token_id("<pad>"), 0);
  EXPECT_EQ(tokenizer->token_id("<eos>"), 1);
  EXPECT_TRUE(tokenizer->is_control(1));
  EXPECT_EQ(tokenizer->encode(" low").size(), 1u);
  const std::string text = "lowest \xF0\x9F\x91\xB7 <eos>\n";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  EXPECT_EQ(tokenizer->encode("<eos>", {Specials::parse}), std::vector<int32_t>{1});
  const auto plain = tokenizer->encode("<eos>");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 1), 0);
}

TEST(TrainBpe, StopsWhenThePairsRunOut) {
  const std::vector<std::string> texts = {"ab ab", "", "\xFF"};
  const auto tokenizer = train_bpe(texts, {1000, {}, std::string(kGpt2Pattern), 1});
  EXPECT_LT(tokenizer->vocab_size(), 300);
  EXPECT_EQ(tokenizer->encode("ab").size(), 1u);
}

TEST(TrainBpe, RefusesOptionsThatCannotBeMet) {
  const std::vector<std::string> texts = {"a"};
  EXPECT_THROW(train_bpe(texts, {100, {}, std::string(kGpt2Pattern), 2}), Error);
  EXPECT_THROW(train_bpe(texts, {300, {"<s>", "<s>"}, std::string(kGpt2Pattern), 2}), Error);
  EXPECT_THROW(train_bpe(texts, {300, {""}, std::string(kGpt2Pattern), 2}), Error);
  EXPECT_THROW(train_bpe(texts, {300, {}, "(", 2}), Error);
}

}  // namespace
}  // namespace sensorium::text
