// Grammars, how they are followed, and the notations that they come in but for JSON schemas.
#include "text/grammar/grammar.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/pattern.h"
#include "text/grammar_walk.h"

namespace sensorium::text::grammar {
namespace {

Walker gbnf(std::string_view text) { return Walker(parse_gbnf(text).value()); }
Error gbnf_error(std::string_view text) {
  const Result<Grammar> grammar = parse_gbnf(text);
  EXPECT_FALSE(grammar.ok()) << text;
  return grammar.ok() ? Error(ErrorKind::numeric, "") : grammar.error();
}

TEST(CodePoints, EveryCharacterHasExactlyOnePath) {
  Rng rng(1);
  for (int round = 0; round < 20; ++round) {
    CodePointSet set;
    for (int i = 0; i < 4; ++i) {
      // Near the borders of encoded lengths and the surrogates, and anywhere.
      const char32_t base = rng.pick(std::vector<char32_t>{0, 0x7E, 0x7FE, 0xD7FE, 0xFFFE, 0x10FFF0, 0x3000, 0x12345});
      set.add(base, base + static_cast<char32_t>(rng.below(0x900)));
    }
    if (round % 2 == 1) set = set.complement();
    const std::vector<ByteRanges> ranges = utf8_ranges(set);
    for (char32_t c = 0; c <= 0x10FFFF; c += (c < 0x1100 || (c > 0xD700 && c < 0x10100) ? 1 : 97)) {
      if (c >= 0xD800 && c <= 0xDFFF) {
        EXPECT_FALSE(set.contains(c));
        continue;
      }
      std::string encoded;
      append_utf8(encoded, c);
      int paths = 0;
      for (const ByteRanges& path : ranges) {
        bool inside = path.size() == encoded.size();
        for (size_t i = 0; inside && i < path.size(); ++i) {
          const auto byte = static_cast<uint8_t>(encoded[i]);
          inside = path[i].first <= byte && byte <= path[i].second;
        }
        paths += inside ? 1 : 0;
      }
      ASSERT_EQ(paths, set.contains(c) ? 1 : 0) << static_cast<uint32_t>(c);
    }
  }
}

TEST(CodePoints, SetsAreSets) {
  const CodePointSet letters({{'a', 'z'}}), vowels({{'a', 'a'}, {'e', 'e'}, {'i', 'i'}});
  EXPECT_EQ(letters.without(vowels).ranges().size(), 3u);
  EXPECT_EQ(letters.intersection(vowels), vowels);
  EXPECT_EQ(letters.complement().complement(), letters);
  EXPECT_EQ(CodePointSet({{'a', 'c'}, {'d', 'f'}, {'b', 'e'}}), CodePointSet({{'a', 'f'}}));
  EXPECT_TRUE(CodePointSet::all().complement().empty());
}

TEST(Gbnf, ReadsItsNotation) {
  Walker walker = gbnf(
      "# lists\n"
      "root ::= \"yes\" | \"no\" | list  # one of three\n"
      "list ::= \"[\" item (\",\" item)* \"]\"\n"
      "item ::= [a-cX_]{2,3} |\n"
      "  \"\\x21\\u00e9\\n\" ( \"(\" item \")\" )? | [^a-z\\]] \"+\"+\n");
  for (const char* text :
       {"yes", "no", "[ab]", "[abc,X_]", "[!\xC3\xA9\n]", "[!\xC3\xA9\n(aa)]", "[\xF0\x9F\x98\x80++]"}) {
    EXPECT_TRUE(walker.matches(text)) << text;
  }
  for (const char* text : {"", "ye", "yesno", "[a]", "[abcc]", "[ab,]", "[]+]", "[z+]", "[+]"}) {
    EXPECT_FALSE(walker.matches(text)) << text;
  }
  EXPECT_TRUE(walker.begins("[\xF0\x9F"));  // inside a character
  EXPECT_FALSE(walker.begins("[\xF0\x9F,"));
}

TEST(Gbnf, Repetitions) {
  Walker walker = gbnf("root ::= \"a\"{2} \"b\"{1,} \"c\"{,2} \"d\"{0} .");
  EXPECT_TRUE(walker.matches("aabx"));
  EXPECT_TRUE(walker.matches("aabbbbcc\xC3\xA9"));
  EXPECT_FALSE(walker.matches("abx"));
  EXPECT_FALSE(walker.matches("aabcccx"));
  EXPECT_FALSE(walker.matches("aabdx"));
  // A repetition of what may be nothing ends.
  Walker loops = gbnf("root ::= (\"a\"* \"b\"?)* \"c\"");
  EXPECT_TRUE(loops.matches("c"));
  EXPECT_TRUE(loops.matches("aabbac"));
  EXPECT_FALSE(loops.matches("aab"));
}

TEST(Gbnf, RecursionIsFollowedToItsDepth) {
  Walker walker = gbnf("root ::= \"(\" root \")\" | \"x\"");
  std::string text = "x";
  for (int i = 0; i < 500; ++i) text = "(" + text + ")";
  EXPECT_TRUE(walker.matches(text));
  EXPECT_FALSE(walker.matches(text + ")"));
  // A list at the end of its rule does not pile up.
  Walker list = gbnf("root ::= \"a\" root | \"b\"");
  EXPECT_TRUE(list.matches(std::string(10000, 'a') + "b"));
  EXPECT_LT(list.states(), 10u);
}

TEST(Gbnf, ErrorsNameTheLine) {
  const auto expect = [](const char* text, const char* part) {
    const Error error = gbnf_error(text);
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
  };
  expect("root ::= \"a\"\nroot ::= \"b\"", "line 2");
  expect("root ::= one\n\none ::= two", "\"two\"");
  expect("a ::= \"x\"", "\"root\"");
  expect("root ::= \"x", "line 1");
  expect("root ::= (\"x\"", "expected )");
  expect("root ::= [z-a]", "range");
  expect("root ::= \"\\q\"", "\"q\"");
  expect("root ::= \"\\ud800\"", "no character");
  expect("root ::= \"a\"{3,2}", "3 to 2");
  expect("root = \"a\"", "::=");
  expect("root ::= root \"a\" | \"b\"", "\"root\" begins with itself");
  expect("root ::= x* root \"b\" | \"c\"\nx ::= \"a\"", "left-recursive");
  expect("root ::= \"a\" root", "no text at all");
  expect("root ::= []", "no text at all");
  EXPECT_EQ(gbnf_error("root ::= ((\"a\"{9999}){9999}){9999} (\"b\"{60000}){60000} (\"c\"{60000}){60000}").kind(),
            ErrorKind::limit);
  EXPECT_EQ(gbnf_error("root ::= " + std::string(200, '(') + "\"a\"" + std::string(200, ')')).kind(), ErrorKind::usage);
}

TEST(Grammar, WhatCanNeverBeCompletedIsNotBegun) {
  // The second alternative needs itself; the third a class without characters.
  Walker walker = gbnf("root ::= \"a\" | \"b\" dead | \"c\" []\ndead ::= \"x\" dead");
  EXPECT_TRUE(walker.matches("a"));
  EXPECT_FALSE(walker.begins("b"));
  EXPECT_FALSE(walker.begins("c"));
}

TEST(Grammar, AmbiguityHasALimit) {
  // 5000 ways to go on at once.
  std::string text = "root ::= ";
  for (int i = 0; i < 5000; ++i) text += fmt::format("{}a \"{:x}\"", i == 0 ? "" : " | ", i);
  text += "\na ::= \"x\" | \"y\"";
  try {
    gbnf(text).begins("x");
    FAIL() << "no limit";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::limit);
  }
}

Walker pattern(std::string_view text) {
  GrammarBuilder builder;
  const Symbol symbol =
      pattern_grammar(builder, text, [&](const CodePointSet& set) { return builder.characters(set); });
  return Walker(builder.build(symbol));
}

TEST(Pattern, MatchesAsRegularExpressionsDo) {
  struct Case {
    const char* pattern;
    std::vector<const char*> yes, no;
  };
  for (const Case& c :
       std::vector<Case>{{"^a+b?$", {"a", "aaab"}, {"", "b", "abb", "xa"}},
                         {"b", {"b", "abc", "xxb"}, {"", "ac"}},
                         {"^b|c$", {"b", "bxx", "c", "xxc"}, {"xb", "cx"}},
                         {R"(^\d{3}-\w+\.\S$)", {"123-a_1.x", "000-Z.\xC3\xA9"}, {"12-a.x", "123-.x", "123-a. "}},
                         {"^[^a-c\\-]{2,}?$", {"de", "xyz"}, {"d", "da", "d-"}},
                         {"^(?:x|y(z))*$", {"", "x", "yzx"}, {"y", "z"}},
                         {R"(^\u00e9\x41[\]\\]$)",
                          {"\xC3\xA9"
                           "A]",
                           "\xC3\xA9"
                           "A\\"},
                          {"eA]"}},
                         {"^.$", {"\xF0\x9F\x98\x80", "."}, {"\n", "ab"}},
                         {"^(?<year>\\d+)$", {"1"}, {"a"}}}) {
    Walker walker = pattern(c.pattern);
    for (const char* text : c.yes) EXPECT_TRUE(walker.matches(text)) << c.pattern << " and " << text;
    for (const char* text : c.no) EXPECT_FALSE(walker.matches(text)) << c.pattern << " and " << text;
  }
}

TEST(Pattern, NamesWhatItDoesNotKnow) {
  const auto error_of = [](const char* text) {
    try {
      pattern(text);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << text;
    return Error(ErrorKind::numeric, "");
  };
  for (const auto& [text, part] : std::vector<std::pair<const char*, const char*>>{{"(?=a)", "look-ahead"},
                                                                                   {"(?<!a)b", "look-behind"},
                                                                                   {"(a)\\1", "back reference"},
                                                                                   {"\\bword", "\\b"},
                                                                                   {"\\p{L}", "\\p"},
                                                                                   {"a^b", "\"^\""},
                                                                                   {"(a$)", "\"$\""},
                                                                                   {"a++", "possessive"}}) {
    EXPECT_EQ(error_of(text).kind(), ErrorKind::unsupported) << text;
    EXPECT_NE(error_of(text).message().find(part), std::string::npos) << error_of(text).message();
  }
  for (const char* text : {"(a", "a)", "[a", "*a", "a{", "a{2,1}", "\\", "[b-a]", "a{99999999999}"}) {
    EXPECT_EQ(error_of(text).kind(), ErrorKind::usage) << text;
  }
}

}  // namespace
}  // namespace sensorium::text::grammar
