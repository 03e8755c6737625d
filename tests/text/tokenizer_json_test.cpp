// Reading untrusted files, control tokens, streaming, threads.
#include "text/tokenizer_json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/regex.h"
#include "text/registry.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text";

std::string golden(const std::string& name) { return read_file(kFolder / (name + ".tokenizer.json")); }
std::unique_ptr<BpeTokenizer> load(const std::string& name) { return parse_tokenizer_json(golden(name)).value(); }

// A tokenizer over a, b, ab with one control token.
Json small_file() {
  return Json::parse(R"({
    "version": "1.0",
    "added_tokens": [{"id": 3, "content": "<end>", "special": true, "normalized": false}],
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
  })");
}

Error error_of(const Json& json) {
  const auto result = parse_tokenizer_json(json.dump());
  return result ? Error(ErrorKind::usage, "no error") : result.error();
}

TEST(TokenizerJson, ReadsTheSmallestFile) {
  const auto tokenizer = parse_tokenizer_json(small_file().dump()).value();
  EXPECT_EQ(tokenizer->vocab_size(), 4);
  EXPECT_EQ(tokenizer->encode("abba"), (std::vector<int32_t>{2, 1, 0}));
  EXPECT_EQ(tokenizer->encode("ab<end>", {Specials::parse}), (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{2, 3, -1, 99, 0}, DecodeSpecials::show), "ab <end> a");
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{2, 3, 0}), "ab a");
  EXPECT_EQ(tokenizer->decode({}), "");
  EXPECT_EQ(tokenizer->encode(""), std::vector<int32_t>{});
  EXPECT_EQ(tokenizer->token_id("ab"), 2);
  EXPECT_EQ(tokenizer->token_id("<end>"), 3);
  EXPECT_EQ(tokenizer->token_id("c"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_control(3));
  EXPECT_FALSE(tokenizer->is_control(-1));
  EXPECT_EQ(tokenizer->token_bytes(1 << 30), "");
}

TEST(TokenizerJson, NamesTheComponentThatIsNotSupported) {
  const auto expect_unsupported = [](const char* key, const Json& component, const std::string& named) {
    Json json = small_file();
    json[key] = component;
    const Error error = error_of(json);
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
    EXPECT_NE(error.message().find(named), std::string::npos) << error.what();
  };
  expect_unsupported("normalizer", {{"type", "BertNormalizer"}}, "BertNormalizer");
  expect_unsupported("pre_tokenizer", {{"type", "UnicodeScripts"}}, "UnicodeScripts");
  expect_unsupported("decoder", {{"type", "CTC"}}, "CTC");
  expect_unsupported("post_processor", {{"type", "Other"}}, "Other");
  expect_unsupported("model", {{"type", "WordPiece"}, {"vocab", Json::array()}}, "WordPiece");
  expect_unsupported("version", "2.0", "2.0");
  Json json = small_file();
  json["model"]["dropout"] = 0.1;
  EXPECT_EQ(error_of(json).kind(), ErrorKind::unsupported);
}

TEST(TokenizerJson, RefusesFilesThatContradictThemselves) {
  const auto expect_invalid = [](const char* pointer, const Json& value) {
    Json json = small_file();
    json[Json::json_pointer(pointer)] = value;
    const Error error = error_of(json);
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << pointer << ": " << error.what();
  };
  expect_invalid("/model", "BPE");
  expect_invalid("/model/vocab", Json::object());
  expect_invalid("/model/vocab", Json::array());
  expect_invalid("/model/vocab/a", -1);
  expect_invalid("/model/vocab/a", 1.5);
  expect_invalid("/model/vocab/a", 1);
  expect_invalid("/model/vocab/a", uint64_t{1} << 63);
  expect_invalid("/model/vocab/a", 1 << 30);
  expect_invalid("/model/merges", "a b");
  expect_invalid("/model/merges/0", "a  b");
  expect_invalid("/model/merges/0", "ab");
  expect_invalid("/model/merges/0", "a c");
  expect_invalid("/model/merges/0", "b a");
  expect_invalid("/model/merges/0", Json::array({"a", "b", "a"}));
  expect_invalid("/model/merges/0", Json::array({"a", 1}));
  expect_invalid("/model/unk_token", "<unk>");
  expect_invalid("/model/fuse_unk", "yes");
  expect_invalid("/model/continuing_subword_prefix", "long");
  expect_invalid("/added_tokens/0/id", 0);
  expect_invalid("/added_tokens/0/id", -3);
  expect_invalid("/added_tokens/0/id", nullptr);
  expect_invalid("/added_tokens/0/content", 5);
  expect_invalid("/added_tokens/0", "x");
  expect_invalid("/added_tokens", Json::array({small_file()["added_tokens"][0], small_file()["added_tokens"][0]}));
  expect_invalid("/pre_tokenizer", "ByteLevel");
  expect_invalid("/pre_tokenizer", Json::object());
  expect_invalid("/pre_tokenizer", {{"type", "Split"}});
  expect_invalid("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "(["}}}, {"behavior", "Isolated"}});
  expect_invalid("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", 3}});
  expect_invalid("/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "ab"}});
  expect_invalid("/decoder", {{"type", "Strip"}, {"content", " "}, {"start", -1}});
  expect_invalid("/post_processor", {{"type", "RobertaProcessing"}, {"cls", {"<s>", 0}}, {"sep", {"</s>", 99}}});
}

TEST(TokenizerJson, RefusesDeepSequences) {
  for (const auto& [key, member] : {std::pair("normalizer", "normalizers"), std::pair("pre_tokenizer", "pretokenizers"),
                                    std::pair("decoder", "decoders"), std::pair("post_processor", "processors")}) {
    Json component = {{"type", "Sequence"}, {member, Json::array()}};
    for (int depth = 0; depth < 20; ++depth) component = {{"type", "Sequence"}, {member, Json::array({component})}};
    Json json = small_file();
    json[key] = component;
    EXPECT_EQ(error_of(json).kind(), ErrorKind::limit) << key;
  }
}

TEST(TokenizerJson, TruncatedFilesAreErrors) {
  const std::string whole = golden("metaspace");
  for (size_t size = 0; size + 2 < whole.size(); size += 97) {
    EXPECT_FALSE(parse_tokenizer_json(std::string_view(whole).substr(0, size)).ok()) << size;
  }
}

// A flipped bit gives an error, or a tokenizer that works.
TEST(TokenizerJson, FlippedBitsDoNoHarm) {
  Rng rng(5);
  const std::string whole = golden("clip");
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    // The components stand before the vocabulary; half of the flips go there.
    const uint64_t range = i % 2 == 0 ? damaged.find("\"vocab\"") : damaged.size();
    damaged[rng.below(range)] ^= static_cast<char>(1 << rng.below(8));
    const auto tokenizer = parse_tokenizer_json(damaged);
    if (!tokenizer) continue;
    const auto ids = tokenizer.value()->encode("A red\tcircle \xC3\xA9 12", {Specials::parse, Affixes::model});
    EXPECT_EQ(find_invalid_utf8(tokenizer.value()->decode(ids)), std::string::npos);
  }
}

TEST(TokenizerJson, SlowPatternsEndWithAnError) {
  Json json = small_file();
  json["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"Regex", "(?:a+)+b\\z"}}}, {"behavior", "Isolated"}};
  const auto tokenizer = parse_tokenizer_json(json.dump());
  ASSERT_TRUE(tokenizer.ok());
  try {
    (void)tokenizer.value()->encode(std::string(64, 'a') + "c" + std::string(64, 'b'));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::limit);
  }
}

TEST(Specials, UserTextNeverBecomesAControlToken) {
  for (const char* name : {"gpt2", "roberta", "llama3", "qwen2", "o200k", "clip", "metaspace", "llama2", "unknowns"}) {
    const auto tokenizer = load(name);
    for (const SpecialToken& token : tokenizer->special_tokens()) {
      if (!token.control || token.text == "<unk>") continue;
      for (const std::string& text : {token.text, " " + token.text, "x" + token.text + token.text + "y\n"}) {
        const auto plain = tokenizer->encode(text);
        const auto parsed = tokenizer->encode(text, {Specials::parse});
        const bool fallback =
            name == std::string("clip") && token.text == "<|endoftext|>";  // it is also the unknown token
        EXPECT_TRUE(fallback || std::find(plain.begin(), plain.end(), token.id) == plain.end()) << name << " " << text;
        EXPECT_NE(std::find(parsed.begin(), parsed.end(), token.id), parsed.end()) << name << " " << text;
      }
    }
  }
}

// Llama 3 takes words that are in the vocabulary whole; a control token there must still not be found in text.
TEST(Specials, NeitherMergesNorWholeWordsSpellAControlToken) {
  Json json = small_file();
  json["added_tokens"] = Json::array({{{"id", 2}, {"content", "ab"}, {"special", true}, {"normalized", false}}});
  for (const bool ignore_merges : {false, true}) {
    json["model"]["ignore_merges"] = ignore_merges;
    const auto tokenizer = parse_tokenizer_json(json.dump()).value();
    EXPECT_EQ(tokenizer->encode("ab"), (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(tokenizer->encode("ab", {Specials::parse}), (std::vector<int32_t>{2}));
  }
}

TEST(InvalidUtf8, IsReadAsReplacementCharacters) {
  for (const char* name : {"gpt2", "qwen2", "clip", "metaspace", "o200k"}) {
    const auto tokenizer = load(name);
    for (const std::string text : {"\xFF", "a\x80z", "\xF0\x9F\x91", "\xED\xA0\x80", "caf\xE9 \xC3"}) {
      EXPECT_EQ(tokenizer->encode(text), tokenizer->encode(repair_utf8(text))) << name;
    }
  }
}

TEST(StreamDecoder, NeverSplitsACharacter) {
  const auto tokenizer = load("gpt2");
  const std::string text = "Emoji \xF0\x9F\x91\xB7\xF0\x9F\x8F\xBD and \xE4\xBD\xA0\xE5\xA5\xBD";
  const auto ids = tokenizer->encode(text);
  StreamDecoder stream(*tokenizer);
  std::string shown;
  bool waited = false;
  for (const int32_t id : ids) {
    const std::string piece = stream.push(id);
    EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
    waited = waited || piece.empty();
    shown += piece;
  }
  EXPECT_TRUE(waited) << "no token of the text is a part of a character: the test shows nothing";
  EXPECT_EQ(shown + stream.finish(), text);

  StreamDecoder cut(*tokenizer);
  EXPECT_EQ(cut.push(tokenizer->encode("\xF0\x9F\xA7\xBF").front()), "");
  EXPECT_EQ(cut.finish(), "\xEF\xBF\xBD");
}

TEST(StreamDecoder, ByteTokensJoinIntoCharacters) {
  const auto tokenizer = load("metaspace");
  const std::string text = " \xF0\x9F\xA7\xBF x";
  const auto ids = tokenizer->encode(text, {Specials::parse, Affixes::model});
  StreamDecoder stream(*tokenizer);
  std::string shown;
  for (const int32_t id : ids) shown += stream.push(id);
  EXPECT_EQ(shown + stream.finish(), tokenizer->decode(ids));
}

TEST(Tokenizer, MayBeUsedFromSeveralThreads) {
  const auto tokenizer = load("llama3");
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "The crane lifts " + std::to_string(i) + " beams, doesn't it?\n";
  const auto expected = tokenizer->encode(text);
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) same[i] += tokenizer->encode(text) == expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 5));
}

TEST(ByteAlphabet, IsABijection) {
  std::set<char32_t> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t c = byte_to_char(static_cast<uint8_t>(byte));
    EXPECT_EQ(char_to_byte(c), byte);
    seen.insert(c);
  }
  EXPECT_EQ(seen.size(), 256u);
  EXPECT_EQ(to_byte_alphabet(" \n"), "\xC4\xA0\xC4\x8A");
  std::string bytes;
  EXPECT_TRUE(from_byte_alphabet("\xC4\xA0the", bytes));
  EXPECT_EQ(bytes, " the");
  EXPECT_FALSE(from_byte_alphabet("the dog", bytes));
  EXPECT_EQ(char_to_byte(0x144), -1);
}

TEST(Vocab, KeepsBothWays) {
  Vocab vocab;
  for (int32_t id = 0; id < 5000; ++id) EXPECT_TRUE(vocab.add(fmt::format("token{}", id), 2 * id));
  EXPECT_FALSE(vocab.add("token7", 1));
  EXPECT_FALSE(vocab.add("other", 14));
  EXPECT_EQ(vocab.find("token4999"), 9998);
  EXPECT_EQ(vocab.find("token"), Vocab::kNone);
  EXPECT_EQ(vocab.token(14), "token7");
  EXPECT_FALSE(vocab.has(13));
  EXPECT_FALSE(vocab.has(-1));
  EXPECT_EQ(vocab.size(), 9999);
  EXPECT_EQ(vocab.count(), 5000);
}

TEST(WordKey, TellsWordsApart) {
  Rng rng(3);
  std::vector<std::string> words;
  for (int i = 0; i < 400; ++i) {
    std::string word;
    for (uint64_t k = 1 + rng.below(WordKey::kMaxBytes); k > 0; --k) word += static_cast<char>("ab\0"[rng.below(3)]);
    words.push_back(word);
  }
  for (const std::string& a : words) {
    for (const std::string& b : words) EXPECT_EQ(WordKey(a) == WordKey(b), a == b);
  }
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const char* pattern : {"[a[bc]]", "[a-z&&[^b]]", "(?m:.)", "\\G", "[\\W]", "a\\", "[]a]", "\\p{L"}) {
    EXPECT_THROW(Regex{pattern}, Error) << pattern;
  }
  EXPECT_EQ(translate_oniguruma("a{2,3}+"), "(?:a{2,3})+");
  EXPECT_EQ(translate_oniguruma("x(a|b){2}+"), "x(?:(a|b){2})+");
  EXPECT_EQ(translate_oniguruma("\\s[\\s\\h]"), "\\p{White_Space}[\\p{White_Space}0-9a-fA-F]");
  EXPECT_EQ(translate_oniguruma("\\p{Lu}\\p{Cyrillic}").find("\\p{sc:Cyrillic}") != std::string::npos, true);
}

TEST(Registry, FormatsAreDistinct) {
  std::set<std::string_view> names, files;
  for (const TokenizerFormat& format : tokenizer_formats()) {
    EXPECT_TRUE(names.insert(format.name).second);
    EXPECT_TRUE(files.insert(format.file_name).second);
    EXPECT_NE(format.read, nullptr);
  }
  EXPECT_THROW(load_tokenizer(kFolder), Error);
  EXPECT_THROW(load_tokenizer(kFolder / "missing.json"), Error);
  EXPECT_THROW(load_tokenizer(kFolder / "strings.json"), Error);
}

}  // namespace
}  // namespace sensorium::text
