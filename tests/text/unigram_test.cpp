// Unigram models of a tokenizer.json: the likeliest pieces, unknown characters, and files that contradict themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "text/character_map.h"
#include "text/tokenizer_json.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text";

// "ab" is likelier than "a" and "b", "abc" less likely than "ab" and "c".
Json small_file() {
  return Json::parse(R"({
    "version": "1.0",
    "added_tokens": [{"id": 1, "content": "</s>", "special": true, "normalized": false}],
    "model": {"type": "Unigram", "unk_id": 0,
              "vocab": [["<unk>", 0.0], ["</s>", 0.0], ["a", -2], ["b", -2], ["c", -1], ["ab", -3.5], ["abc", -5]]}
  })");
}

std::vector<int32_t> ids_of(const Json& file, const std::string& text) {
  return any_from_json(file).value()->encode(text);
}

Error error_of(const Json& file) {
  const auto result = any_from_json(file);
  return result ? Error(ErrorKind::usage, "no error") : result.error();
}

TEST(Unigram, FindsTheLikeliestPieces) {
  EXPECT_EQ(ids_of(small_file(), "ab"), (std::vector<int32_t>{5}));
  EXPECT_EQ(ids_of(small_file(), "abc"), (std::vector<int32_t>{5, 4}));
  EXPECT_EQ(ids_of(small_file(), ""), (std::vector<int32_t>{}));
}

TEST(Unigram, ARunOfUnknownCharactersIsOneToken) {
  EXPECT_EQ(ids_of(small_file(), "ax\xC3\xA9yb"), (std::vector<int32_t>{2, 0, 3}));
  Json bytes = small_file();
  bytes["model"]["byte_fallback"] = true;
  bytes["model"]["vocab"].push_back({"<0x78>", -9});
  EXPECT_EQ(ids_of(bytes, "axxb"), (std::vector<int32_t>{2, 7, 7, 3}));
  EXPECT_EQ(ids_of(bytes, "axyb"), (std::vector<int32_t>{2, 0, 3})) << "a byte without a token";
}

TEST(Unigram, TextSpellsNoControlToken) {
  const auto tokenizer = any_from_json(small_file()).value();
  const auto plain = tokenizer->encode("a</s>");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 1), 0);
  EXPECT_EQ(tokenizer->encode("a</s>", {Specials::parse}), (std::vector<int32_t>{2, 1}));
}

TEST(Unigram, RefusesFilesThatContradictThemselves) {
  const auto with = [](const std::function<void(Json&)>& change) {
    Json file = small_file();
    change(file);
    return error_of(file);
  };
  EXPECT_EQ(with([](Json&) {}).kind(), ErrorKind::usage);  // this one can be read
  EXPECT_EQ(with([](Json& file) { file["model"]["unk_id"] = 7; }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](Json& file) { file["model"]["vocab"] = Json::array(); }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](Json& file) { file["model"]["vocab"][2] = "a"; }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](Json& file) { file["model"]["vocab"][2][1] = "x"; }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](Json& file) { file["model"]["vocab"][2][0] = "b"; }).kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with([](Json& file) { file["pre_tokenizer"] = {{"type", "ByteLevel"}}; }).kind(), ErrorKind::unsupported);
  for (const char* table : {"not base64!", "AAAA", "AAQAAA=="}) {
    const auto error = with([&](Json& file) {
      file["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", table}};
    });
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << table;
  }
  Json no_unknown = small_file();
  no_unknown["model"].erase("unk_id");
  EXPECT_EQ(ids_of(no_unknown, "ab"), (std::vector<int32_t>{5}));
  EXPECT_THROW(ids_of(no_unknown, "x"), Error);
}

TEST(CharacterMap, DamagedTablesAreErrorsOrTables) {
  const Json file = Json::parse(read_file(kFolder / "unigram.tokenizer.json"));
  const std::string whole = base64_decode(file["normalizer"]["precompiled_charsmap"].get<std::string>()).value();
  const std::string text = "e\xCC\x81 \xEF\xBC\xA1\xE2\x91\xA0\r\n\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA";
  const auto try_table = [&](const std::string& table) {
    try {
      EXPECT_EQ(find_invalid_utf8(CharacterMap(table).apply(text)), std::string::npos);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    }
  };
  for (size_t size = 0; size < whole.size(); size += 37) try_table(whole.substr(0, size));
  Rng rng(3);
  for (int i = 0; i < 500; ++i) {
    std::string damaged = whole;
    for (uint64_t k = 1 + rng.below(4); k > 0; --k) {
      damaged[rng.below(damaged.size())] ^= static_cast<char>(1 << rng.below(8));
    }
    try_table(damaged);
  }
}

}  // namespace
}  // namespace sensorium::text
