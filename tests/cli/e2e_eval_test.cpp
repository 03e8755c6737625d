// `sensorium eval` with a model that two steps of training made: what it says is worthless, the form of the report is
// not.
#include <memory>
#include <set>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {
namespace fs = std::filesystem;

constexpr const char* kRecipe = R"(name: two-steps
out: run
seed: 1
model:
  prepare: {max_pixels: 9216, min_side: 32, max_aspect: 8}
  image: {stem_channels: [16, 16, 32, 32], stem_blocks: [1, 1, 1], norm_groups: 4, dim: 32, layers: 1, heads: 2, mlp_width: 64}
  merge: 2
  decoder: {context: 512, dim: 32, layers: 1, heads: 2, kv_heads: 1, head_dim: 16, mlp_width: 64}
  query_dim: 16
tokenizer: {vocabulary: 300}
data:
  images_per_batch: 2
  sets:
    - {world: site, objects: [helmet, head], scene: people at work}
train: {steps: 2, learning_rate: 1.0e-3, warmup_steps: 1, save_every: 1}
)";

class E2eEval : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(binary())) return;
    folder_ = std::make_unique<TemporaryFolder>();
    write_file_atomic(*folder_ / "two-steps.yaml", kRecipe);
    const Finished trained = run_binary({"train", *folder_ / "two-steps.yaml", "out=" + (*folder_ / "run")});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    const Finished drawn = run_binary(
        {"world", *folder_ / "site", "--name", "test", "--kinds", "site,blocks", "--count", "4", "--max-side", "160"});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override {
    if (!folder_) GTEST_SKIP() << binary() << " is not built";
  }
  static std::vector<std::string> eval(const std::string& data, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"eval", "--model", model(), "--data", data, "--resamples", "20", "--max-tokens", "4"});
    return more;
  }
  static std::string model() { return *folder_ / "run/model"; }
  static std::string data() { return *folder_ / "site/test.jsonl"; }

  static inline std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(E2eEval, PrintsTheContractsObject) {
  const Finished finished = run_binary(eval(data(), {"--json"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  // Nothing but the object: progress is for terminals.
  EXPECT_EQ(finished.err, "");
  const OrderedJson report = OrderedJson::parse(finished.out);
  std::vector<std::string> keys;
  for (const auto& [key, value] : report.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"model", "data", "results"}));
  EXPECT_EQ(report.at("model"), model());
  EXPECT_EQ(report.at("data"), data());
  std::set<std::string> tasks;
  for (const OrderedJson& result : report.at("results")) {
    tasks.insert(result.at("task").get<std::string>());
    EXPECT_GT(result.at("n").get<int64_t>(), 0);
    ASSERT_FALSE(result.at("metrics").empty());
    for (const auto& [name, metric] : result.at("metrics").items()) {
      const double value = metric.at("value").get<double>();
      const auto interval = metric.at("ci95").get<std::vector<double>>();
      ASSERT_EQ(interval.size(), 2u) << name;
      EXPECT_LE(interval[0], interval[1]) << name;
      EXPECT_GE(value, 0.0) << name;
    }
  }
  EXPECT_EQ(tasks, (std::set<std::string>{"qa", "count", "boxes", "caption", "statement"}));
}

TEST_F(E2eEval, TheSameRunGivesTheSameFigures) {
  const std::vector<std::string> arguments = eval(data(), {"--task", "caption", "--limit", "2", "--json"});
  const Finished first = run_binary(arguments), second = run_binary(arguments);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, second.out);
  const Json report = Json::parse(first.out);
  ASSERT_EQ(report.at("results").size(), 1u);
  EXPECT_EQ(report.at("results")[0].at("n"), 2);
}

TEST_F(E2eEval, PrintsATableForPeople) {
  const Finished finished = run_binary(eval(data(), {"--task", "count", "--limit", "1"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_NE(finished.out.find("count_mae"), std::string::npos) << finished.out;
  EXPECT_NE(finished.out.find("n = "), std::string::npos) << finished.out;
}

TEST_F(E2eEval, ReadsRunningText) {
  const std::string text = *folder_ / "text.jsonl";
  write_file_atomic(text, "{\"text\": \"People at work wear helmets.\"}\n");
  const Finished finished = run_binary(eval(text, {"--json"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json result = Json::parse(finished.out).at("results").at(0);
  EXPECT_EQ(result.at("task"), "text");
  // Perplexity of a model that knows nothing is near the size of its vocabulary, and never below 1.
  EXPECT_GT(result.at("metrics").at("perplexity").at("value").get<double>(), 1.0);
}

TEST_F(E2eEval, StopsAtCtrlC) { EXPECT_EQ(interrupted_exit_code(eval(data(), {"--json"})), 130); }

TEST_F(E2eEval, SaysThatItsOutputIsLost) {
  const Finished finished = run_binary(eval(data(), {"--task", "count", "--json"}), {.output = "/dev/full"});
  expect_one_line_error(finished, 1, "cannot write the output");
}

TEST_F(E2eEval, SaysWhatIsWrong) {
  expect_one_line_error(run_binary({"eval"}), 2, "--data");
  expect_one_line_error(run_binary(eval(data(), {"--task", "captoin"})), 2, "caption");
  expect_one_line_error(run_binary(eval(data(), {"--limit", "-3"})), 2, "limit");
  expect_one_line_error(run_binary(eval(data(), {"--task", "transcript"})), 1, "no record carries");
  expect_one_line_error(run_binary(eval(*folder_ / "none.jsonl")), 1, "none.jsonl");
  expect_one_line_error(run_binary({"eval", "--model", *folder_ / "nowhere", "--data", data()}), 1, "nowhere");
  const std::string broken = *folder_ / "broken.jsonl";
  write_file_atomic(broken, "{\"text\": \"a line\"}\n{\"text\": 5}\n");
  expect_one_line_error(run_binary(eval(broken)), 1, "broken.jsonl:2");
}

}  // namespace
}  // namespace sensorium::cli
