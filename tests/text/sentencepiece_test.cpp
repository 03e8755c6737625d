// SentencePiece models give the ids and texts of the references (tools/golden/text_sentencepiece.py), survive damage,
// and never let user text become a control token.
#include "text/sentencepiece_tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "text/golden_strings.h"
#include "text/registry.h"
#include "text/sentencepiece_writer.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text";

class GoldenSentencePiece : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const { return kFolder / GetParam(); }
  Json strings(const Json& expected) const {
    Json all = read_json_file(kFolder / "strings.json");
    for (const Json& item : expected["strings"]) all.push_back(item);
    return all;
  }
};

TEST_P(GoldenSentencePiece, GivesTheIdsAndTextsOfTheReference) {
  const auto tokenizer = load_tokenizer(folder());
  const Json expected = read_json_file(folder() / "expected.json");
  const Json items = strings(expected);
  ASSERT_EQ(items.size(), expected["rows"].size());
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string text = expand(items[i]);
    const Json& row = expected["rows"][i];
    const std::string what = fmt::format("{} string {} '{}'", GetParam(), i, text.substr(0, 200));
    const auto parsed = tokenizer->encode(text, {Specials::parse, Affixes::model});
    if (!row["parsed"].is_null()) expect_ids(parsed, row["parsed"], what);
    if (!row["plain"].is_null()) expect_ids(tokenizer->encode(text), row["plain"], what);
    if (!row["skipped"].is_null()) {
      EXPECT_EQ(tokenizer->decode(parsed), row["skipped"].get<std::string>()) << what;
    }
  }
}

TEST_P(GoldenSentencePiece, StreamsWhatItDecodes) {
  const auto tokenizer = load_tokenizer(folder());
  const Json expected = read_json_file(folder() / "expected.json");
  for (const Json& item : strings(expected)) {
    if (!item.is_string()) continue;
    const auto ids = tokenizer->encode(item.get<std::string>(), {Specials::parse, Affixes::model});
    for (const auto specials : {DecodeSpecials::skip, DecodeSpecials::show}) {
      StreamDecoder stream(*tokenizer, specials);
      std::string text;
      for (const int32_t id : ids) {
        const std::string piece = stream.push(id);
        EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
        text += piece;
      }
      EXPECT_EQ(text + stream.finish(), tokenizer->decode(ids, specials)) << item;
    }
  }
}

TEST_P(GoldenSentencePiece, UserTextNeverBecomesAControlToken) {
  const auto tokenizer = load_tokenizer(folder());
  for (const SpecialToken& token : tokenizer->special_tokens()) {
    if (!token.control || token.text == "<unk>") continue;
    for (const std::string& text : {token.text, " " + token.text, "x" + token.text + token.text + "y\n"}) {
      const auto plain = tokenizer->encode(text);
      const auto parsed = tokenizer->encode(text, {Specials::parse});
      EXPECT_EQ(std::count(plain.begin(), plain.end(), token.id), 0) << GetParam() << " " << text;
      EXPECT_NE(std::count(parsed.begin(), parsed.end(), token.id), 0) << GetParam() << " " << text;
      const Span all{0, text.size()};
      EXPECT_EQ(tokenizer->encode(text, {Specials::parse, Affixes::none, {&all, 1}}), plain) << GetParam() << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenSentencePiece,
                         testing::Values("sp_llama", "sp_llama_new", "sp_llama_added", "sp_llama_old", "sp_t5",
                                         "sp_t5_new", "sp_gemma", "sp_unigram", "sp_siglip", "sp_code_llama"),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(SentencePiece, TheFirstSpaceOfATextIsTheEncoders) {
  const auto tokenizer = load_tokenizer(kFolder / "sp_llama");
  const auto ids = tokenizer->encode("the helmet", {Specials::parse, Affixes::model});
  EXPECT_EQ(tokenizer->decode(ids), "the helmet");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(" the")), " the");
  // In the middle of a conversation the space is the text's own.
  EXPECT_EQ(tokenizer->token_bytes(ids.back()).empty(), false);
  StreamDecoder stream(*tokenizer);
  std::string text;
  for (const int32_t id : ids) text += stream.push(id);
  EXPECT_EQ(text + stream.finish(), "the helmet");
}

TEST(SentencePiece, BrokenCharactersBecomeOneMarkEach) {
  const auto tokenizer = load_tokenizer(kFolder / "sp_llama");
  const int32_t lead = *tokenizer->token_id("<0xF0>"), next = *tokenizer->token_id("<0x9F>");
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{lead, next}), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{-1, 1 << 30}), "");
}

// Letters, "ab", a control token of one character.
std::string small_model() {
  SentencePieceWriter writer;
  writer.bpe = true;
  writer.add("<unk>", 2);
  writer.add("<s>", 3);
  writer.add("</s>", 3);
  writer.add("x", 3);
  for (const char* piece : {"ab", "\xE2\x96\x81", "a", "b"}) writer.add(piece, 1);
  return writer.bytes();
}

TEST(SentencePiece, ReadsTheSmallestModel) {
  const auto tokenizer = parse_sentencepiece(small_model()).value();
  EXPECT_EQ(tokenizer->vocab_size(), 8);
  EXPECT_EQ(tokenizer->encode("abba"), (std::vector<int32_t>{5, 4, 7, 6}));
  EXPECT_EQ(tokenizer->encode("a</s>b", {Specials::parse, Affixes::model}), (std::vector<int32_t>{1, 5, 6, 2, 5, 7}));
  EXPECT_EQ(tokenizer->encode("axb"), (std::vector<int32_t>{5, 6, 0, 7})) << "a control token of one character";
  EXPECT_EQ(tokenizer->encode(""), std::vector<int32_t>{});
  EXPECT_EQ(tokenizer->token_id("ab"), 4);
  EXPECT_EQ(tokenizer->token_id("</s>"), 2);
  EXPECT_EQ(tokenizer->token_id("nosuch"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_control(2));
  EXPECT_FALSE(tokenizer->is_control(4));
}

TEST(SentencePiece, PiecesThatAConfigurationMakesControlAreNotFoundInText) {
  TokenizerConfig config;
  AddedToken token;
  token.id = 4;
  token.content = "ab";
  token.special = true;
  config.added.push_back(token);
  const auto tokenizer = parse_sentencepiece(small_model(), config).value();
  EXPECT_EQ(tokenizer->encode("ab"), (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(tokenizer->encode("ab", {Specials::parse}), (std::vector<int32_t>{4}));
}

Error error_of(const std::string& bytes, const TokenizerConfig& config = {}) {
  const auto result = parse_sentencepiece(bytes, config);
  return result ? Error(ErrorKind::usage, "no error") : result.error();
}

TEST(SentencePiece, RefusesModelsThatContradictThemselves) {
  const auto with = [](const std::function<void(SentencePieceWriter&)>& change) {
    SentencePieceWriter writer;
    writer.bpe = true;
    writer.add("<unk>", 2);
    writer.add("a", 1);
    change(writer);
    return error_of(writer.bytes());
  };
  EXPECT_EQ(with([](auto&) {}).kind(), ErrorKind::usage);  // this one can be read
  EXPECT_EQ(with([](auto& w) { w.add("a", 1); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.add("", 1); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.add("b", 7); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.add("b", 2); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.add("\xFF", 1); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.add(std::string("b\0c", 3), 1); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.add("b", 1, std::numeric_limits<float>::quiet_NaN()); }).kind(),
            ErrorKind::invalid_data);
  EXPECT_EQ(with([](auto& w) { w.trainer += "\x98\x02\x01"; }).kind(), ErrorKind::invalid_data);  // byte_fallback
  EXPECT_EQ(with([](auto& w) { w.trainer += "\xC0\x01\x01"; }).kind(), ErrorKind::unsupported);   // spaces as suffixes
  EXPECT_EQ(with([](auto& w) { w.trainer += "\x18\x03"; }).kind(), ErrorKind::unsupported);       // words
  EXPECT_EQ(with([](auto& w) { w.normalizer += "\x12\x03xyz"; }).kind(), ErrorKind::invalid_data);
  // A trie whose only filled unit points far outside of it.
  std::string map(4 + 1024 + 1, '\0');
  map[1] = 4;
  EXPECT_EQ(with([&](auto& w) { w.normalizer += "\x12\x85\x08" + map; }).kind(), ErrorKind::usage);
  map[4 + 3] = 0x7F;
  EXPECT_EQ(with([&](auto& w) { w.normalizer += "\x12\x85\x08" + map; }).kind(), ErrorKind::invalid_data);
  map[4 + 3] = static_cast<char>(0xFF);
  EXPECT_EQ(with([&](auto& w) { w.normalizer += "\x12\x85\x08" + map; }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(error_of("").kind(), ErrorKind::invalid_data);
  EXPECT_EQ(error_of("{\"version\": 1}").kind(), ErrorKind::invalid_data);
  EXPECT_EQ(error_of(std::string(20, '\xFF')).kind(), ErrorKind::invalid_data);
  TokenizerConfig config;
  config.tokenizer_class = "XLMRobertaTokenizer";
  EXPECT_EQ(error_of(small_model(), config).kind(), ErrorKind::unsupported);
  config.tokenizer_class = "";
  config.added.resize(2);
  config.added[0].content = "one";
  config.added[1].content = "two";
  config.added[0].id = config.added[1].id = 9;
  EXPECT_EQ(error_of(small_model(), config).kind(), ErrorKind::invalid_data);
}

TEST(SentencePiece, TruncatedModelsAreErrorsOrShorter) {
  const std::string whole = read_file(kFolder / "sp_llama/tokenizer.model");
  for (size_t size = 0; size < whole.size(); size += 131) {
    const auto tokenizer = parse_sentencepiece(std::string_view(whole).substr(0, size));
    if (tokenizer) (void)tokenizer.value()->encode("The helmet \xF0\x9F\x91\xB7");
  }
}

TEST(SentencePiece, FlippedBitsDoNoHarm) {
  Rng rng(6);
  for (const char* name : {"sp_llama/tokenizer.model", "sp_t5/spiece.model"}) {
    const std::string whole = read_file(kFolder / name);
    for (int i = 0; i < 150; ++i) {
      std::string damaged = whole;
      for (uint64_t k = 1 + rng.below(4); k > 0; --k) {
        damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
      }
      const auto tokenizer = parse_sentencepiece(damaged);
      if (!tokenizer) continue;
      const auto ids =
          tokenizer.value()->encode("A red\tcircle \xC3\xA9 12 \xEF\xBD\x86", {Specials::parse, Affixes::model});
      EXPECT_EQ(find_invalid_utf8(tokenizer.value()->decode(ids)), std::string::npos);
    }
  }
}

TEST(TokenizerConfig, IsReadFromTheFilesOfAFolder) {
  const TokenizerConfig old = read_tokenizer_config(kFolder / "sp_llama_old");
  EXPECT_EQ(old.tokenizer_class, "LlamaTokenizer");
  EXPECT_EQ(old.token("bos_token", ""), "<s>");
  EXPECT_EQ(old.token("pad_token", "none"), "none");
  ASSERT_EQ(old.added.size(), 5u);
  EXPECT_EQ(old.added[0].content, "<image>");
  EXPECT_FALSE(old.added[0].special);
  const TokenizerConfig none = read_tokenizer_config(kFolder);
  EXPECT_EQ(none.tokenizer_class, "");
  EXPECT_TRUE(none.added.empty());
}

}  // namespace
}  // namespace sensorium::text
