#include "generate/stop_strings.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"

namespace sensorium::generate {
namespace {

TEST(StopStrings, HoldsBackWhatMayBecomeOne) {
  StopStrings stop({"</s>", "\n\n"});
  EXPECT_EQ(stop.push("a <"), "a ");
  EXPECT_EQ(stop.push("/"), "");
  EXPECT_EQ(stop.push("b"), "</b");
  EXPECT_EQ(stop.push("\n"), "");
  EXPECT_FALSE(stop.stopped());
  EXPECT_EQ(stop.push("\nmore"), "");
  EXPECT_TRUE(stop.stopped());
  EXPECT_EQ(stop.push("more"), "");
  EXPECT_EQ(stop.finish(), "");
}

TEST(StopStrings, TellsTheRestAtTheEnd) {
  StopStrings stop({"abab"});
  EXPECT_EQ(stop.push("xaba"), "x");
  EXPECT_EQ(stop.finish(), "aba");
}

TEST(StopStrings, TheOneThatEndsFirst) {
  // Of several that end together, the longest; one inside another ends before it.
  EXPECT_EQ(StopStrings({"c", "bc", "abc"}).push("xabcd"), "x");
  EXPECT_EQ(StopStrings({"abcd", "bc"}).push("xabcd"), "xa");
}

// What is shown in the end: the text up to the first byte at which a stop string ends, without it.
std::string expected(const std::string& text, const std::vector<std::string>& strings) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& string : strings) {
      if (string.size() <= end && text.compare(end - string.size(), string.size(), string) == 0)
        longest = std::max(longest, string.size());
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopStrings, CutsDoNotMatter) {
  Rng rng(1);
  const auto random_text = [&](int64_t low, int64_t high) {
    std::string text(static_cast<size_t>(rng.integer(low, high)), 'a');
    for (char& c : text) c = static_cast<char>('a' + rng.below(2));
    return text;
  };
  int stopped = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> strings;
    for (int64_t i = rng.integer(1, 3); i > 0; --i) strings.push_back(random_text(2, 7));
    const std::string text = random_text(0, 30), want = expected(text, strings);
    StopStrings stop(strings);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const auto size = static_cast<size_t>(rng.integer(1, 4));
      shown += stop.push(std::string_view(text).substr(at, size));
      ASSERT_TRUE(want.starts_with(shown)) << shown << " of " << want;
      at += size;
    }
    shown += stop.finish();
    EXPECT_EQ(shown, want) << text;
    EXPECT_EQ(stop.stopped(), want.size() < text.size());
    stopped += stop.stopped() ? 1 : 0;
  }
  EXPECT_GT(stopped, 500);
  EXPECT_LT(stopped, 1900);
}

TEST(StopStrings, RefusesBadOnes) {
  EXPECT_THROW(StopStrings({"a", ""}), Error);
  EXPECT_THROW(StopStrings({std::string(StopStrings::kMostBytes + 1, 'a')}), Error);
  EXPECT_THROW(StopStrings(std::vector<std::string>(StopStrings::kMost + 1, "a")), Error);
}

}  // namespace
}  // namespace sensorium::generate
