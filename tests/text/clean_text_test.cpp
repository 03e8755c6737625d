#include "text/clean_text.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "temporary_folder.h"
#include "text/clip_merges.h"
#include "text/registry.h"

namespace sensorium::text {
namespace {

// Against ftfy and Python's html: tools/golden/text_clean.py.
TEST(GoldenCleanText, RepairsReferencesAndBlanks) {
  const Json cases = read_json_file(SENSORIUM_SOURCE_DIR "/tests/golden/text/clean.json");
  EXPECT_GT(cases.size(), 40u);
  for (const Json& one : cases) {
    EXPECT_EQ(clean_text(one[0].get<std::string>()), one[1].get<std::string>()) << one[0].dump();
  }
}

// Whatever bytes come, the result is valid, without blanks at its ends, and clean already.
TEST(CleanText, AnyBytes) {
  uint32_t state = 7;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 24; ++i) {
      state = state * 1664525 + 1013904223;
      constexpr std::string_view kOften = "&#;xamp \xC3\xA9\xE2\x80\x99\x1b[";
      bytes.push_back(state >> 30 != 0 ? kOften[(state >> 8) % kOften.size()] : static_cast<char>(state >> 16));
    }
    const std::string clean = clean_text(bytes);
    ASSERT_EQ(find_invalid_utf8(clean), std::string::npos);
    ASSERT_FALSE(clean.starts_with(' ') || clean.ends_with(' ')) << clean;
    ASSERT_EQ(repair_text(repair_text(bytes)), repair_text(bytes));
  }
}

class ClipMerges : public ::testing::Test {
 protected:
  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

const std::string kMerges = "#version: 0.2\nc a\nca t</w>\nd o\ndo g</w>\n";

TEST_F(ClipMerges, VocabularyFollowsFromTheMerges) {
  const auto tokenizer = parse_clip_merges(kMerges).value();
  EXPECT_EQ(tokenizer->vocab_size(), 512 + 4 + 2);
  EXPECT_EQ(tokenizer->token_id("!"), 0);
  EXPECT_EQ(tokenizer->token_id("!</w>"), 256);
  EXPECT_EQ(tokenizer->token_id("cat</w>"), 513);
  EXPECT_EQ(tokenizer->encode("Cat DOG", {.affixes = Affixes::model}), (std::vector<int32_t>{516, 513, 515, 517}));
}

TEST_F(ClipMerges, PackedAndDamaged) {
  std::string packed(1024, '\0');
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string text = kMerges;
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  const std::filesystem::path path = folder_ / "bpe_simple_vocab_16e6.txt.gz";
  write_file_atomic(path, packed);
  EXPECT_EQ(load_tokenizer(folder_)->vocab_size(), 518);
  for (size_t size = 1; size < packed.size(); ++size) {
    write_file_atomic(path, packed.substr(0, size));
    EXPECT_FALSE(read_clip_merges(path).ok()) << size;
  }
  EXPECT_FALSE(parse_clip_merges("").ok());
  EXPECT_FALSE(parse_clip_merges("#version\nonly\n").ok());
  EXPECT_FALSE(parse_clip_merges("#version\n\xFF x\n").ok());
}

}  // namespace
}  // namespace sensorium::text
