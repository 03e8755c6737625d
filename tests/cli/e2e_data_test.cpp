// `sensorium world` and `sensorium validate`.
#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {
namespace fs = std::filesystem;

class E2eData : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(binary())) GTEST_SKIP() << binary() << " is not built";
  }
  TemporaryFolder folder_;
};

TEST_F(E2eData, WorldWritesADataSetWithoutFaults) {
  const std::string out = folder_ / "world";
  const Finished made = run_binary({"world", out, "--count", "20", "--seed", "3", "--max-side", "200", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const Json report = Json::parse(made.out);
  EXPECT_EQ(report.at("samples"), 20);
  EXPECT_EQ(report.at("data"), out + "/train.jsonl");

  const Finished checked = run_binary({"validate", out + "/train.jsonl", "--json"});
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
  const Json faults = Json::parse(checked.out);
  EXPECT_EQ(faults.at("records"), 20);
  EXPECT_EQ(faults.at("pictures"), 20);
  EXPECT_EQ(faults.at("faulty"), 0);
  EXPECT_TRUE(faults.at("faults").empty());
  EXPECT_TRUE(faults.at("ignored_fields").empty()) << faults;
}

TEST_F(E2eData, TheSameSeedDrawsTheSameWorld) {
  const std::vector<std::string> common = {"--count", "4", "--seed", "5", "--kinds", "shapes,digits", "--name", "test"};
  for (const char* name : {"a", "b"}) {
    std::vector<std::string> arguments = {"world", folder_ / name};
    arguments.insert(arguments.end(), common.begin(), common.end());
    ASSERT_EQ(run_binary(arguments).exit_code, 0);
  }
  EXPECT_EQ(read_file(folder_ / "a/test.jsonl"), read_file(folder_ / "b/test.jsonl"));
  EXPECT_EQ(read_file(folder_ / "a/media/test_000001.png"), read_file(folder_ / "b/media/test_000001.png"));
}

TEST_F(E2eData, WorldSaysWhatIsWrong) {
  expect_one_line_error(run_binary({"world", folder_ / "w", "--kinds", "shapess"}), 2, "shapes");
  expect_one_line_error(run_binary({"world", folder_ / "w", "--min-side", "8"}), 2, "64");
  expect_one_line_error(run_binary({"world", folder_ / "w", "--count", "0"}), 2, "count");
  expect_one_line_error(run_binary({"world"}), 2, "folder");
  EXPECT_FALSE(fs::exists(folder_ / "w/train.jsonl"));
  write_file_atomic(folder_ / "file", "x");
  expect_one_line_error(run_binary({"world", folder_ / "file", "--count", "1"}), 1, "file");
}

TEST_F(E2eData, WorldRefusesSettingsThatItCannotMean) {
  const auto world = [&](const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"world", folder_ / "w"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    return run_binary(arguments);
  };
  const Finished negative = world({"--count", "-1"});
  expect_one_line_error(negative, 2, "--count");
  EXPECT_LT(negative.err.size(), 150u) << negative.err;
  expect_one_line_error(world({"--seed", "-1"}), 2, "--seed");
  expect_one_line_error(world({"--first", "-1"}), 2, "--first");
  expect_one_line_error(world({"--first", "99999999999999999999999"}), 2, "--first");
  expect_one_line_error(world({"--count", "5", "--first", "999999999998"}), 2, "ends at sample");
  for (const char* name : {"../esc", "", ".hidden", "a/b", "a b"})
    expect_one_line_error(world({"--count", "1", "--name", name}), 2, "name");
  EXPECT_FALSE(fs::exists(folder_ / "w"));
  EXPECT_FALSE(fs::exists(folder_ / "esc.jsonl"));
}

// A disk that is full half way: what was there before stays as it was, and nothing is added.
TEST_F(E2eData, WorldThatFailsLeavesNothing) {
  const std::vector<std::string> arguments = {"world",  folder_ / "w", "--count", "8",          "--kinds",
                                              "shapes", "--min-side",  "64",      "--max-side", "512"};
  Finished finished = run_binary(arguments, {.file_limit = 4000});
  expect_one_line_error(finished, 1, "cannot write");
  EXPECT_FALSE(fs::exists(folder_ / "w"));
  ASSERT_EQ(run_binary({"world", folder_ / "w", "--count", "2", "--kinds", "digits"}).exit_code, 0);
  const std::string before = read_file(folder_ / "w/train.jsonl");
  finished = run_binary(arguments, {.file_limit = 4000});
  expect_one_line_error(finished, 1, "cannot write");
  EXPECT_EQ(read_file(folder_ / "w/train.jsonl"), before);
  size_t entries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "w")) entries += entry.exists() ? 1 : 0;
  EXPECT_EQ(entries, 4u);  // the list, the folder and two pictures
}

TEST_F(E2eData, ValidateDecodesPicturesWhenAsked) {
  ASSERT_EQ(run_binary({"world", folder_ / "w", "--count", "2", "--kinds", "shapes"}).exit_code, 0);
  const std::string data = folder_ / "w/train.jsonl", picture = folder_ / "w/media/train_000001.png";
  EXPECT_EQ(run_binary({"validate", data, "--decode"}).exit_code, 0);
  const std::string sound = read_file(picture);
  write_file_atomic(picture, sound.substr(0, sound.size() / 2));
  EXPECT_EQ(run_binary({"validate", data}).exit_code, 0);  // the header is sound
  const Finished finished = run_binary({"validate", data, "--decode"});
  expect_one_line_error(finished, 1, "1 of 2 records are faulty");
  EXPECT_NE(finished.out.find("train.jsonl:2: "), std::string::npos) << finished.out;
  EXPECT_NE(finished.out.find("train_000001.png"), std::string::npos) << finished.out;
}

TEST_F(E2eData, ValidateNamesFileLineAndFault) {
  ASSERT_EQ(run_binary({"world", folder_ / "w", "--count", "1", "--kinds", "shapes"}).exit_code, 0);
  const std::string good = read_file(folder_ / "w/train.jsonl");
  const std::string file = folder_ / "w/bad.jsonl";
  write_file_atomic(
      file, good +
                "\n"
                "{\"image\": \"media/gone.png\", \"qa\": [{\"q\": \"What?\", \"a\": \"x\"}]}\n"
                "{\"image\": \"media/train_000000.png\", \"boxes\": [{\"box\": [0, 0, 9000, 5], \"class\": \"x\"}]}\n"
                "{\"qa\": 3}\n"
                "{\"qa\": [\n" +
                good);
  const Finished finished = run_binary({"validate", file});
  expect_one_line_error(finished, 1, "4 of 6 records are faulty");
  for (const char* fault :
       {"bad.jsonl:3: ", "bad.jsonl:4: ", "bad.jsonl:5: ", "bad.jsonl:6: ", "gone.png", "outside the picture"}) {
    EXPECT_NE(finished.out.find(fault), std::string::npos) << fault << "\n" << finished.out;
  }
  for (const char* sound : {"bad.jsonl:1: ", "bad.jsonl:7: "}) {
    EXPECT_EQ(finished.out.find(sound), std::string::npos) << finished.out;
  }
}

TEST_F(E2eData, ValidateRefusesWhatIsNoDataSet) {
  expect_one_line_error(run_binary({"validate", folder_ / "none.jsonl"}), 1, "none.jsonl");
  write_file_atomic(folder_ / "empty.jsonl", "");
  expect_one_line_error(run_binary({"validate", folder_ / "empty.jsonl"}), 1, "no records");
  write_file_atomic(folder_ / "program.bin", std::string("\x7f"
                                                         "ELF\0\0",
                                                         6));
  expect_one_line_error(run_binary({"validate", folder_ / "program.bin"}), 1, "program.bin");
}

}  // namespace
}  // namespace sensorium::cli
