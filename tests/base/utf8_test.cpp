#include "base/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace sensorium {
namespace {

TEST(Utf8, EveryCodePointEncodesAndDecodes) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, code);
    char32_t decoded = 0;
    ASSERT_EQ(decode_utf8(text, decoded), static_cast<int>(text.size())) << static_cast<uint32_t>(code);
    ASSERT_EQ(decoded, code);
    ASSERT_EQ(text.size(), code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u);
  }
}

TEST(Utf8, InvalidSequencesAreRefused) {
  const std::vector<std::string> invalid = {
      "\x80",              // continuation alone
      "\xC0\xAF",          // overlong
      "\xC1\xBF",          //
      "\xE0\x9F\xBF",      //
      "\xF0\x8F\xBF\xBF",  //
      "\xED\xA0\x80",      // surrogate
      "\xF4\x90\x80\x80",  // past U+10FFFF
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xE2\x82",  // cut off
      "\xF0\x9F\x98",
      "\xC3",
  };
  for (const std::string& text : invalid) {
    char32_t code = 0;
    EXPECT_EQ(decode_utf8(text, code), 0);
    EXPECT_EQ(find_invalid_utf8("ok " + text), 3u);
  }
  char32_t code = 0;
  EXPECT_EQ(decode_utf8("", code), 0);
  EXPECT_EQ(find_invalid_utf8("gr\xC3\xBC\xC3\x9F"), std::string_view::npos);
}

// The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
TEST(Utf8, RepairsMaximalSubparts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(repair_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(repair_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(repair_utf8("plain"), "plain");
  EXPECT_EQ(repair_utf8("\xE2\x82"), r);
}

TEST(Utf8, StreamNeverSplitsACharacter) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (size_t first = 0; first <= text.size(); ++first) {
    for (size_t second = first; second <= text.size(); ++second) {
      Utf8Stream stream;
      std::string out;
      for (const std::string& piece :
           {text.substr(0, first), text.substr(first, second - first), text.substr(second)}) {
        const std::string shown = stream.push(piece);
        ASSERT_EQ(find_invalid_utf8(shown), std::string_view::npos);
        out += shown;
      }
      out += stream.finish();
      ASSERT_EQ(out, text);
    }
  }
}

TEST(Utf8, StreamRepairsGarbageAtOnceAndTheRestAtTheEnd) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xFF"), "a\xEF\xBF\xBD");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.push("x"), "\xEF\xBF\xBDx");
  EXPECT_EQ(stream.push("\xF0\x9F"), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

}  // namespace
}  // namespace sensorium
