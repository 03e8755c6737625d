// The validator: every fault with its line, and nothing wrong with the real data sets.
#include "base/interrupt.h"
#include "base/threads.h"
#include "data/dataset.h"
#include "data/real_sets.h"
#include "data/temp_folder.h"

namespace sensorium::data {
namespace {
namespace fs = std::filesystem;

class Validate : public TempFolder {
 protected:
  ValidationReport validate(const std::string& lines) { return validate_dataset(write("set.jsonl", lines)); }
  // The faults of one record, joined.
  std::string faults(const std::string& line) {
    std::string all;
    for (const Fault& fault : validate(line).faults) all += fault.what + "; ";
    return all;
  }
};

TEST_F(Validate, NothingWrong) {
  write_picture("a.png", 40, 30);
  const ValidationReport report = validate(
      R"({"image":"a.png","width":40,"height":30,"boxes":[{"box":[0,0,40.5,30],"class":"x"}],"count":{"x":1,"y":0},"source":"me"})"
      "\n"
      R"({"messages":[{"role":"user","content":[{"type":"image","image":"a.png"},{"type":"text","text":"?"}]},{"role":"assistant","content":"!"}]})"
      "\n");
  EXPECT_EQ(report.records, 2);
  EXPECT_EQ(report.pictures, 2);
  EXPECT_EQ(report.faulty, 0);
  EXPECT_TRUE(report.faults.empty()) << report.faults[0].what;
  EXPECT_EQ(report.ignored_fields, (std::map<std::string, int64_t>{{"source", 1}}));
}

TEST_F(Validate, EachFaultIsNamed) {
  write_picture("a.png", 40, 30);
  write("not.jpg", "plain text");
  write("cut.png", read_file(folder_ / "a.png").substr(0, 20));
  write("empty.flac", "");
  write("bad.npy", "\x93NUMPY");
  const struct {
    const char *line, *part;
  } cases[] = {
      {R"({"image":"missing.png"})", "no such file"},
      {R"({"image":"not.jpg"})", "not.jpg"},
      {R"({"image":"cut.png"})", "cut.png"},
      {R"({"image":"."})", "directory"},
      {R"({"image":"a.png","width":41,"height":30})", "is 40 x 30, the record says 41 x 30"},
      {R"({"image":"a.png","boxes":[{"box":[0,0,50,10],"class":"x"}]})",
       "a box of \"x\", [0, 0, 50, 10], lies outside"},
      {R"({"image":"a.png","boxes":[{"box":[-5,0,5,10],"class":"x"}]})", "lies outside"},
      {R"({"image":"a.png","boxes":[{"box":[0,0,5,10],"class":"x"}],"count":{"x":2}})",
       "1 boxes of \"x\", but its count is 2"},
      {R"({"image":"a.png","boxes":[{"box":[0,0,5,10],"class":"x"}],"count":{"y":0}})", "no count of it"},
      {R"({"image":"a.png","qa":[{"q":"?","a":""}]})", "empty \"a\""},
      {R"({"image":"a.png","conversations":[{"from":"human","value":"<image><image>"}]})", "more <image> marks"},
      {R"({"audio":"missing.flac"})", "missing.flac"},
      {R"({"audio":"empty.flac"})", "is empty"},
      {R"({"imu":"bad.npy"})", ".npy"},
      {"{\"text\":\"\xFF\"}", "invalid UTF-8"},
      {R"({"text":"cut)", "invalid JSON"},
      {R"({"messages":[{"role":"user","content":[{"type":"image","image":"gone.png"}]}]})", "gone.png"},
  };
  for (const auto& c : cases)
    EXPECT_NE(faults(c.line).find(c.part), std::string::npos) << c.line << "\n" << faults(c.line);
}

TEST_F(Validate, PicturesOfOtherCamerasUnderWrongNames) {
  write("counts.png", media::encode_png(media::Image16(40, 30, 1, 7000)));
  write("grey.png", media::encode_png(media::Image(40, 30, 1)));
  EXPECT_NE(faults(R"({"image":"counts.png"})").find("name it \"thermal\" or \"depth\""), std::string::npos);
  EXPECT_EQ(faults(R"({"thermal":"counts.png"})"), "");
  EXPECT_EQ(faults(R"({"thermal":"grey.png"})"), "");
  EXPECT_EQ(faults(R"({"depth":"counts.png"})"), "");
  EXPECT_NE(faults(R"({"depth":"grey.png"})").find("distances are grey of 16 bits"), std::string::npos);
}

TEST_F(Validate, FramesOfAFilmHaveOneSize) {
  write_picture("0.png", 40, 30);
  write_picture("1.png", 40, 30);
  write_picture("2.png", 40, 32);
  EXPECT_EQ(faults(R"({"frames":["0.png","1.png"]})"), "");
  EXPECT_NE(faults(R"({"frames":["0.png","2.png"]})").find("is 40 x 32, the film's first frame 40 x 30"),
            std::string::npos);
  EXPECT_EQ(validate(R"({"frames":["0.png","gone.png"]})").faults.size(), 1u);
}

TEST_F(Validate, ListsInOrderWithLinesWhateverTheThreads) {
  std::string lines;
  for (int i = 1; i <= 300; ++i) lines += i % 3 == 0 ? "{\"image\":\"gone.png\"}\n" : "{\"text\":\"fine\"}\n";
  const int threads = thread_count();
  for (const int count : {1, 3}) {
    set_thread_count(count);
    const ValidationReport report = validate(lines);
    EXPECT_EQ(report.faulty, 100);
    ASSERT_EQ(report.faults.size(), 100u);
    for (size_t i = 0; i < 100; ++i)
      EXPECT_EQ(report.faults[i].where, fmt::format("{}:{}", (folder_ / "set.jsonl").string(), 3 * i + 3));
  }
  set_thread_count(threads);
  const ValidationReport few = validate_dataset(folder_ / "set.jsonl", 7);
  EXPECT_EQ(few.faults.size(), 7u);
  EXPECT_EQ(few.faulty, 100);
}

TEST_F(Validate, OneRecordMayHaveSeveralFaults) {
  const ValidationReport report = validate(R"({"image":"gone.png","depth":"gone_too.png","boxes":[],"count":{"x":0}})");
  EXPECT_EQ(report.faulty, 1);
  EXPECT_EQ(report.faults.size(), 2u);
}

TEST_F(Validate, StopsWhenInterrupted) {
  set_interrupted(true);
  EXPECT_THROW(validate("{\"text\":\"x\"}"), Error);
  set_interrupted(false);
}

TEST(RealSets, HaveNoFaults) {
  if (!fs::exists(real_sets())) GTEST_SKIP() << "no data sets at " << real_sets();
  int files = 0;
  for (const fs::path& root : {real_sets(), real_sets() / "noncommercial"}) {
    if (!fs::exists(root)) continue;
    for (const fs::directory_entry& folder : fs::directory_iterator(root)) {
      for (const char* name : {"train.jsonl", "test.jsonl"}) {
        const fs::path path = folder.path() / name;
        if (!fs::exists(path)) continue;
        const ValidationReport report = validate_dataset(path);
        EXPECT_GT(report.records, 0) << path;
        EXPECT_EQ(report.faulty, 0) << path << ": "
                                    << (report.faults.empty() ? ""
                                                              : report.faults[0].where + ": " + report.faults[0].what);
        ++files;
      }
    }
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace sensorium::data
