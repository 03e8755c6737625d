// Readers: which format a path holds, records by index, places in messages, hashes.
#include "data/dataset.h"

#include <functional>
#include <set>

#include "data/temp_folder.h"

namespace sensorium::data {
namespace {
namespace fs = std::filesystem;

class DatasetTest : public TempFolder {};

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "ok";
}

TEST(DatasetFormats, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const DatasetFormat& format : dataset_formats()) EXPECT_TRUE(names.insert(format.name).second) << format.name;
}

TEST_F(DatasetTest, JsonLines) {
  const auto set = open_dataset(write("x.jsonl", "{\"text\":\"one\"}\n\n{\"text\":}\n{\"image\":\"m/a.png\"}\n"));
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->get(0).text, "one");
  EXPECT_EQ(set->get(0).where, (folder_ / "x.jsonl").string() + ":1");
  EXPECT_NE(error_of([&] { (void)set->get(1); }).find("x.jsonl:3: invalid JSON"), std::string::npos);
  EXPECT_EQ(set->get(2).image, (folder_ / "m/a.png").string());
  EXPECT_EQ(open_dataset(folder_ / "x.jsonl", {.media_root = "/pictures"})->get(2).image, "/pictures/m/a.png");
}

TEST_F(DatasetTest, JsonListIsReadElementByElement) {
  const auto set = open_dataset(
      write("x.json",
            "\xEF\xBB\xBF [\n {\"text\": \"a]},{\\\"[\"},\n\n{\"text\":\"b\", \"n\": [[1], {}]} ,{\"text\": oops}]\n"));
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->get(0).text, "a]},{\"[");
  EXPECT_EQ(set->get(1).text, "b");
  EXPECT_EQ(set->get(1).where, (folder_ / "x.json").string() + ":4");
  EXPECT_NE(error_of([&] { (void)set->get(2); }).find("x.json:4: invalid JSON"), std::string::npos);
  EXPECT_EQ(open_dataset(write("empty.json", "[ ]"))->size(), 0);
}

TEST_F(DatasetTest, BrokenListsAreErrorsAtOnce) {
  for (const char* text :
       {"[", "[{\"text\":\"a\"}", "[{},,{}]", "[{},]", "[{}] more", "[\"unterminated]", "[}", "[{}}]", "[,]"}) {
    EXPECT_NE(error_of([&] { (void)open_dataset(write("x.json", text)); }), "ok") << text;
  }
}

TEST_F(DatasetTest, LlavaListEqualsLlavaLines) {
  const std::string record =
      R"({"id":"1","image":"a.jpg","conversations":[{"from":"human","value":"<image>\nWhat?"},{"from":"gpt","value":"a cat"}]})";
  const auto list = open_dataset(write("a.json", "[" + record + "," + record + "]"));
  const auto lines = open_dataset(write("a.jsonl", record + "\n"));
  EXPECT_EQ(list->size(), 2);
  EXPECT_EQ(list->get(0).messages.at(0).parts.at(0).value, lines->get(0).messages.at(0).parts.at(0).value);
  EXPECT_EQ(list->content_hash(0), lines->content_hash(0));
}

TEST_F(DatasetTest, PlainTextKeepsEveryByte) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += fmt::format("Paragraph {} {}\r\n\r\n", i, std::string(static_cast<size_t>(i) * 7, 'x'));
  for (int i = 0; i < 5000; ++i) text += "\xC3\xA9\xE2\x82\xAC";  // no space for 25 KB
  const auto set = open_dataset(write("book.txt", text));
  std::string joined;
  for (int64_t i = 0; i < set->size(); ++i) {
    joined += set->get(i).text;  // throws if a character was cut
    EXPECT_LE(set->get(i).text.size(), 8192u);
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(set->get(0).where, (folder_ / "book.txt").string() + ":1");
  EXPECT_EQ(open_dataset(write("blank.txt", "\n\n \n"))->size(), 0);
  EXPECT_NE(error_of([&] { (void)open_dataset(write("bad.txt", "a\xFF"))->get(0); }).find("bad.txt:1: "),
            std::string::npos);
}

TEST_F(DatasetTest, ClassFolders) {
  write_picture("photos/cat/2.png");
  write_picture("photos/cat/1.PNG");
  write_picture("photos/ant/9.png");
  write("photos/cat/notes.txt", "not a picture");
  write("photos/.cache/x.png", "hidden");
  const auto set = open_dataset(folder_ / "photos");
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->get(0).label, "ant");
  EXPECT_EQ(set->get(1).image, (folder_ / "photos/cat/1.PNG").string());
  EXPECT_EQ(set->get(2).questions.at(0).answer, "cat");
  // The split stays when the folder moves.
  const uint64_t before = set->content_hash(1);
  fs::rename(folder_ / "photos", folder_ / "moved");
  EXPECT_EQ(open_dataset(folder_ / "moved")->content_hash(1), before);
}

TEST_F(DatasetTest, WhatIsNoDataSet) {
  EXPECT_NE(error_of([&] { (void)open_dataset(folder_ / "missing.jsonl"); }).find("no such file"), std::string::npos);
  EXPECT_NE(error_of([&] { (void)open_dataset(write_picture("a.png")); }).find("no data set"), std::string::npos);
  EXPECT_NE(error_of([&] { (void)open_dataset(write("empty", "")); }).find("no data set"), std::string::npos);
  EXPECT_EQ(open_dataset(write("empty.jsonl", ""))->size(), 0);
  fs::create_directories(folder_ / "bare");
  EXPECT_NE(error_of([&] { (void)open_dataset(folder_ / "bare"); }).find("one per class"), std::string::npos);
  write("set/train.jsonl", "{}");
  EXPECT_NE(error_of([&] { (void)open_dataset(folder_ / "set"); }).find("train.jsonl; give that file"),
            std::string::npos);
}

}  // namespace
}  // namespace sensorium::data
