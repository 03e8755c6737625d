// Files of JSON lines: lines by index, faults by place.
#include "io/json_lines.h"

#include <gtest/gtest.h>

namespace sensorium::io {
namespace {
namespace fs = std::filesystem;

class JsonLines : public ::testing::Test {
 protected:
  JsonLinesFile open(const std::string& text) {
    write_file_atomic(path_, text);
    return JsonLinesFile(path_);
  }
  void TearDown() override { fs::remove(path_); }
  fs::path path_ = fs::path(testing::TempDir()) / "lines.jsonl";
};

TEST_F(JsonLines, SkipsBlankLinesAndCountsThem) {
  const JsonLinesFile file = open("\xEF\xBB\xBF{\"a\":1}\n\n  \r\n{\"a\":2}\r\n{\"a\":3}");
  ASSERT_EQ(file.size(), 3);
  EXPECT_EQ(file.parse(0).value().at("a"), 1);
  EXPECT_EQ(file.parse(2).value().at("a"), 3);
  EXPECT_EQ(file.where(1), path_.string() + ":4");
  EXPECT_EQ(file.where(2), path_.string() + ":5");
}

TEST_F(JsonLines, EmptyFiles) {
  EXPECT_EQ(open("").size(), 0);
  EXPECT_EQ(open("\n\n").size(), 0);
  EXPECT_THROW(JsonLinesFile(path_.string() + ".missing"), Error);
  EXPECT_THROW(JsonLinesFile(fs::path(testing::TempDir())), Error);
}

TEST_F(JsonLines, FaultsSayWhere) {
  const JsonLinesFile file = open("{\"a\":}\n{\"a\":\"\xC3\"}\n" + std::string(150, '[') + "\n");
  EXPECT_EQ(file.parse(0).error().message(), "invalid JSON at byte 6");
  EXPECT_EQ(file.parse(1).error().message(), "invalid UTF-8 at byte 7");
  EXPECT_EQ(file.parse(2).error().kind(), ErrorKind::limit);
}

TEST_F(JsonLines, RefusesEndlessLines) {
  EXPECT_THROW(open("1\n" + std::string(JsonLinesFile::kMaxLineBytes + 1, ' ') + "\n"), Error);
}

}  // namespace
}  // namespace sensorium::io
