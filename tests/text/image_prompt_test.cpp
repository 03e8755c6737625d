// LLaVA's prompts: the published token ids, with a vocabulary rebuilt from them.
#include "text/image_prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "text/registry.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/sentencepiece_writer.h"

namespace sensorium::text {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/text";

// The ids that third parties published for LLaVA 1.5's prompt, beside the pieces that they must stand for. The real
// vocabulary cannot be opened here: so this shows that the prompt is cut, prefixed and joined as it should be, and how
// bytes and spaces are numbered, but not that Llama's merges are found.
const std::vector<std::pair<int32_t, std::string>> kPublished = {
    {319, "▁A"},
    {13563, "▁chat"},
    {1546, "▁between"},
    {263, "▁a"},
    {12758, "▁curious"},
    {1404, "▁user"},
    {322, "▁and"},
    {385, "▁an"},
    {23116, "▁artificial"},
    {21082, "▁intelligence"},
    {20255, "▁assistant"},
    {29889, "."},
    {450, "▁The"},
    {4076, "▁gives"},
    {8444, "▁helpful"},
    {29892, ","},
    {13173, "▁detailed"},
    {1248, "▁pol"},
    {568, "ite"},
    {6089, "▁answers"},
    {304, "▁to"},
    {278, "▁the"},
    {29915, "'"},
    {29879, "s"},
    {5155, "▁questions"},
    {3148, "▁US"},
    {1001, "ER"},
    {29901, ":"},
    {29871, "▁"},
    {5618, "What"},
    {338, "▁is"},
    {10464, "▁happening"},
    {297, "▁in"},
    {4863, "▁video"},
    {29973, "?"},
    {1799, "SS"},
    {9047, "IST"},
    {13566, "ANT"},
    {5199, "▁human"},
    {259, "▁▁"},
};

std::unique_ptr<SentencePieceTokenizer> rebuilt_vocabulary() {
  std::map<int32_t, std::string> known(kPublished.begin(), kPublished.end());
  SentencePieceWriter writer;
  writer.trainer = std::string("\x98\x02\x01", 3);  // byte_fallback
  writer.add("<unk>", 2, 0);
  writer.add("<s>", 3, 0);
  writer.add("</s>", 3, 0);
  for (int byte = 0; byte < 256; ++byte) writer.add(fmt::format("<0x{:02X}>", byte), 6, 0);
  for (int32_t id = 259; id < 32000; ++id) {
    const auto found = known.find(id);
    // Words that no text here has fill the other places.
    writer.add(found == known.end() ? fmt::format("\xF3\xB0\x80\x80{}", id) : found->second, 1, -1.0F);
  }
  return parse_sentencepiece(writer.bytes()).value();
}

std::string prompt(const std::string& who, const std::string& question) {
  return "A chat between a curious " + who +
         " and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to "
         "the " +
         who + "'s questions. USER: " + question + " ASSISTANT:";
}

TEST(GoldenImagePrompt, GivesThePublishedIds) {
  const auto tokenizer = rebuilt_vocabulary();
  for (const auto& [who, id] : {std::pair("human", 5199), std::pair("user", 1404)}) {
    const std::vector<int32_t> expected = {
        1,     319,   13563, 1546, 263,  12758, id,    322, 385, 23116, 21082, 20255, 29889, 450,   20255, 4076, 8444,
        29892, 13173, 29892, 322,  1248, 568,   6089,  304, 278, id,    29915, 29879, 5155,  29889, 3148,  1001, 29901,
        29871, -200,  29871, 13,   5618, 338,   10464, 297, 278, 4863,  29973, 319,   1799,  9047,  13566, 29901};
    EXPECT_EQ(encode_with_images(*tokenizer, prompt(who, "<image>\nWhat is happening in the video?")), expected);
  }
  EXPECT_EQ(encode_with_images(*tokenizer, "<image> <image>"), (std::vector<int32_t>{1, -200, 259, -200}));
}

TEST(ImagePrompt, WithoutPlaceholdersIsThePromptItself) {
  for (const char* name : {"sp_llama", "sp_llama_new", "qwen2.tokenizer.json", "llama3.tokenizer.json"}) {
    const auto tokenizer = load_tokenizer(kFolder / name);
    auto whole = tokenizer->encode("USER: Hi", {Specials::parse, Affixes::model});
    if (std::string(name) == "sp_llama_new") whole.pop_back();  // it also adds </s>, which a prompt must not have
    EXPECT_EQ(encode_with_images(*tokenizer, "USER: Hi"), whole) << name;
  }
}

TEST(ImagePrompt, EveryPartIsReadByItself) {
  const auto tokenizer = load_tokenizer(kFolder / "sp_llama");
  std::vector<int32_t> expected = {*tokenizer->token_id("<s>"), kImageId, kImageId};
  for (const int32_t id : tokenizer->encode("\nHi</s>", {Specials::parse})) expected.push_back(id);
  EXPECT_EQ(encode_with_images(*tokenizer, "<image><image>\nHi</s>"), expected);
  EXPECT_EQ(encode_with_images(*tokenizer, ""), std::vector<int32_t>{*tokenizer->token_id("<s>")});
}

TEST(ImagePrompt, VideosStandApartWhereTheModelReadsThem) {
  const auto tokenizer = load_tokenizer(kFolder / "sp_llama");
  std::vector<int32_t> expected = {*tokenizer->token_id("<s>"), kVideoId, kImageId};
  for (const int32_t id : tokenizer->encode("\nHi")) expected.push_back(id);
  EXPECT_EQ(encode_with_images(*tokenizer, "<video><image>\nHi", {}, kPlaceholders), expected);
  const auto ids = encode_with_images(*tokenizer, "<video><image>\nHi");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kVideoId), 0);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kImageId), 1);
}

TEST(ImagePrompt, TheBeginningIsNotDoubled) {
  const auto tokenizer = load_tokenizer(kFolder / "sp_llama");
  EXPECT_EQ(encode_with_images(*tokenizer, "<s>USER: <image> Hi"), encode_with_images(*tokenizer, "USER: <image> Hi"));
}

TEST(ImagePrompt, UsersCannotAddImagesOrControlTokens) {
  const auto tokenizer = load_tokenizer(kFolder / "sp_llama");
  const std::string text = "USER: <image>\n<image></s> ASSISTANT:";
  const Span said{14, 25};  // "<image></s>"
  const auto ids = encode_with_images(*tokenizer, text, {&said, 1});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kImageId), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), *tokenizer->token_id("</s>")), 0);
  const Span half{10, 14};  // a part of the placeholder
  EXPECT_EQ(std::count_if(ids.begin(), ids.end(), [](int32_t id) { return id < 0; }), 1);
  const auto none = encode_with_images(*tokenizer, "USER: <image>\n", {&half, 1});
  EXPECT_EQ(std::count(none.begin(), none.end(), kImageId), 0);
}

}  // namespace
}  // namespace sensorium::text
