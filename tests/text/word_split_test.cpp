// The hand-written splitters do what their regular expressions say.
#include "text/word_split.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "base/utf8.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

constexpr std::pair<SplitRule, std::string_view> kRules[] = {
    {SplitRule::gpt2, kGpt2Pattern}, {SplitRule::llama3, kLlama3Pattern}, {SplitRule::qwen2, kQwen2Pattern}};

std::vector<std::string> split_by_rule(SplitRule rule, std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t length = first_word(rule, text);
    words.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return words;
}

std::vector<std::string> split_by_regex(const Regex& regex, std::string_view text) {
  std::vector<std::string> words;
  size_t end = 0;
  regex.find_all(text, [&](Span match) {
    EXPECT_EQ(match.begin, end) << "the pattern passes over a part of the text";
    words.emplace_back(text.substr(match.begin, match.end - match.begin));
    end = match.end;
  });
  EXPECT_EQ(end, text.size());
  return words;
}

std::string random_text(Rng& rng, int characters) {
  static constexpr char32_t kAlphabet[] = {
      'a',    'b',    's',    'S',    't',    'r',    'E',     'v',     'l',     'L',    'm',    'D',   '0',    '1',
      '9',    ' ',    ' ',    ' ',    ' ',    '\n',   '\r',    '\t',    '\'',    '\'',   '.',    ',',   '!',    '-',
      '_',    '/',    '<',    '\0',   0x1F,   0x7F,   0x85,    0xA0,    0xBD,    0xDF,   0xE9,   0x17F, 0x212A, 0x2019,
      0x1680, 0x180E, 0x2003, 0x200B, 0x200D, 0x2028, 0x3000,  0x301,   0x416,   0x4E2D, 0xD55C, 0x905, 0x93F,  0x967,
      0x627,  0x661,  0x2167, 0x3007, 0xFFFD, 0xFEFF, 0x1F44D, 0x1F3FD, 0x20000, 0x1D7D8};
  std::string text;
  for (int i = 0; i < characters; ++i) append_utf8(text, kAlphabet[rng.next() % std::size(kAlphabet)]);
  return text;
}

TEST(WordSplit, EqualsItsRegularExpressionOnRandomText) {
  Rng rng(11);
  for (const auto& [rule, pattern] : kRules) {
    const Regex regex(pattern);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_text(rng, 1 + static_cast<int>(rng.next() % 40));
      ASSERT_EQ(split_by_rule(rule, text), split_by_regex(regex, text)) << text;
    }
  }
}

// Each character of the Basic Multilingual Plane and of the planes with letters, among neighbours of every class.
TEST(WordSplit, EqualsItsRegularExpressionOnEveryCharacter) {
  for (const auto& [rule, pattern] : kRules) {
    const Regex regex(pattern);
    std::string text;
    for (char32_t c = 1; c < 0x33480; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      append_utf8(text, c);
      text += "ab \n1.?"[c % 7];
      if (c % 0x1000 != 0) continue;
      ASSERT_EQ(split_by_rule(rule, text), split_by_regex(regex, text)) << "before " << static_cast<uint32_t>(c);
      text.clear();
    }
  }
}

TEST(WordSplit, SplitsKnownTexts) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split_by_rule(SplitRule::gpt2, "I'm 123  ok."), (Words{"I", "'m", " 123", " ", " ok", "."}));
  EXPECT_EQ(split_by_rule(SplitRule::llama3, "I'M 12345\n\n x"), (Words{"I", "'M", " ", "123", "45", "\n\n", " x"}));
  EXPECT_EQ(split_by_rule(SplitRule::qwen2, "(a) 12!\n"), (Words{"(a", ")", " ", "1", "2", "!\n"}));
}

TEST(WordSplit, SafeSplitsStartAWordWhateverComesBefore) {
  Rng rng(12);
  for (const auto& [rule, pattern] : kRules) {
    for (int i = 0; i < 2000; ++i) {
      const std::string text = random_text(rng, 30);
      const size_t cut = safe_split(text, rng.next() % (text.size() + 2));
      std::vector<std::string> words = split_by_rule(rule, std::string_view(text).substr(0, cut));
      const auto behind = split_by_rule(rule, std::string_view(text).substr(cut));
      words.insert(words.end(), behind.begin(), behind.end());
      ASSERT_EQ(words, split_by_rule(rule, text)) << text << " at " << cut;
    }
  }
  EXPECT_EQ(safe_split("", 0), 0u);
  EXPECT_EQ(safe_split("a b", 0), 1u);
  EXPECT_EQ(safe_split("a b", 7), 3u);
  EXPECT_EQ(safe_split(" \n b", 0), 4u);
}

TEST(CharClass, KnowsTheEdges) {
  EXPECT_EQ(char_class('z'), CharClass::letter);
  EXPECT_EQ(char_class('{'), CharClass::other);
  EXPECT_EQ(char_class(0xBD), CharClass::number);
  EXPECT_EQ(char_class(0x85), CharClass::space);
  EXPECT_EQ(char_class(0x180E), CharClass::other);
  EXPECT_EQ(char_class(0x9FFF), CharClass::letter);
  EXPECT_EQ(char_class(0xAC00), CharClass::letter);
  EXPECT_EQ(char_class(0xD7A4), CharClass::other);
  EXPECT_EQ(char_class(0x31350), CharClass::letter);
  EXPECT_EQ(char_class(0x10FFFF), CharClass::other);
  EXPECT_EQ(char_class(0x110000), CharClass::other);
}

TEST(Utf8Check, AgreesWithTheSlowOne) {
  Rng rng(13);
  for (int i = 0; i < 5000; ++i) {
    std::string text = random_text(rng, 20);
    if (i % 2 == 0) text[rng.next() % text.size()] = static_cast<char>(rng.next());
    if (i % 3 == 0) text.resize(rng.next() % text.size());
    EXPECT_EQ(is_valid_utf8(text), find_invalid_utf8(text) == std::string::npos);
  }
}

}  // namespace
}  // namespace sensorium::text
