// Training as a user runs it: killed, interrupted, misspelt, diverging.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {

const std::string kRecipe = std::string(SENSORIUM_SOURCE_DIR) + "/recipes/tiny.yaml";

std::vector<std::string> train_arguments(const std::string& out) {
  return {"train", kRecipe, "out=" + out, "train.steps=10", "train.save_every=3", "data.images_per_batch=4"};
}

size_t count_lines(const std::string& path) {
  std::ifstream file(path);
  size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

// Waits until the run has logged `steps` steps; false after a minute.
bool wait_for_steps(const std::string& out, size_t steps) {
  for (int i = 0; i < 6000; ++i) {
    if (count_lines(out + "/train.jsonl") >= steps) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// The numbers of every step, without the speeds.
std::vector<std::string> losses(const std::string& out) {
  std::vector<std::string> result;
  std::ifstream file(out + "/train.jsonl");
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line);
    json.erase("tokens_per_s");
    json.erase("images_per_s");
    result.push_back(json.dump());
  }
  return result;
}

TEST(E2eTrain, KilledAndResumedIsBitIdentical) {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", killed = folder / "killed";
  ASSERT_EQ(run_binary(train_arguments(whole)).exit_code, 0);
  for (const size_t step : {size_t{4}, size_t{8}}) {
    const pid_t child = start_binary(train_arguments(killed));
    ASSERT_TRUE(wait_for_steps(killed, step));
    kill(child, SIGKILL);
    wait_for_exit(child);
  }
  const Finished resumed = run_binary(train_arguments(killed));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(losses(whole).size(), 10u);
  EXPECT_EQ(losses(whole), losses(killed));
  EXPECT_TRUE(read_file(whole + "/model/model.safetensors") == read_file(killed + "/model/model.safetensors"));
}

TEST(E2eTrain, InterruptSavesAndExits130) {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  std::vector<std::string> arguments = train_arguments(out);
  arguments[3] = "train.steps=100000";
  const pid_t child = start_binary(arguments);
  ASSERT_TRUE(wait_for_steps(out, 2));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for_exit(child), 130);
  EXPECT_TRUE(std::filesystem::exists(out + "/model/model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(out + "/loss.svg"));
  EXPECT_FALSE(std::filesystem::is_empty(out + "/checkpoints"));
}

TEST(E2eTrain, DivergenceStopsAndKeepsTheLastGoodCheckpoint) {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  std::vector<std::string> arguments = train_arguments(out);
  arguments.insert(arguments.end(), {"train.learning_rate=1e30", "train.warmup_steps=0", "train.save_every=1"});
  const Finished finished = run_binary(arguments);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.err.find("not finite"), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("step "), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("init=" + out + "/model"), std::string::npos) << finished.err;
}

TEST(E2eTrain, FullDiskLosesNothing) {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  ASSERT_EQ(run_binary([&] {
              std::vector<std::string> arguments = train_arguments(out);
              arguments.push_back("train.stop_after=3");
              return arguments;
            }())
                .exit_code,
            0);
  const std::string saved = read_file(out + "/model/model.safetensors");
  const Finished finished = run_binary(train_arguments(out), {.file_limit = 20000});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.err.find("cannot write"), std::string::npos) << finished.err;
  EXPECT_EQ(read_file(out + "/model/model.safetensors"), saved);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out)) {
    EXPECT_FALSE(entry.path().string().ends_with(".tmp")) << entry.path();
  }
  // There is room again: the run goes on to its end.
  EXPECT_EQ(run_binary(train_arguments(out)).exit_code, 0);
  EXPECT_EQ(losses(out).size(), 10u);
}

TEST(E2eTrain, SaysThatItsOutputIsLost) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = train_arguments(folder / "run");
  arguments.insert(arguments.end(), {"train.steps=1", "--json"});
  const Finished finished = run_binary(arguments, {.output = "/dev/full"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.err.find("cannot write the output"), std::string::npos) << finished.err;
}

TEST(E2eTrain, MisspeltKeysSuggestTheNearOne) {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& override_) {
    return run_binary({"train", kRecipe, "out=" + (folder / "run"), override_});
  };
  expect_one_line_error(run("train.learning_rat=1"), 2, "did you mean \"learning_rate\"");
  expect_one_line_error(run("trian.steps=1"), 2, "did you mean \"train\"");
  expect_one_line_error(run("no equals sign"), 2, "key=value");
  expect_one_line_error(run_binary({"train", folder / "missing.yaml"}), 1, "no such file");
}

TEST(E2eTrain, AnotherRecipeDoesNotResumeARun) {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  ASSERT_EQ(run_binary({"train", kRecipe, "out=" + out, "train.steps=1"}).exit_code, 0);
  expect_one_line_error(run_binary({"train", kRecipe, "out=" + out, "train.steps=1", "seed=2"}), 2, "another recipe");
}

}  // namespace
}  // namespace sensorium::cli
