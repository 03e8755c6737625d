// `sensorium quantize`, and the verbs on what it wrote.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {

const std::string kSite = std::string(SENSORIUM_SOURCE_DIR) + "/examples/site.jpg";

TEST(E2eQuantize, TheModelAnswersAndIsDescribed) {
  const TemporaryFolder folder;
  const std::string small = folder / "small";
  const Finished made = run_binary({"quantize", "default", small, "--type", "q8", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const Json report = Json::parse(made.out);
  EXPECT_GT(report.at("packed").get<int64_t>(), 10);
  EXPECT_LT(report.at("bits_per_parameter").get<double>(), 14);

  const Finished inspected = run_binary({"inspect", small, "--json"});
  ASSERT_EQ(inspected.exit_code, 0) << inspected.err;
  const Json described = Json::parse(inspected.out);
  EXPECT_EQ(described.at("parameters"), report.at("parameters"));
  EXPECT_EQ(described.at("tensors"), report.at("tensors"));
  EXPECT_GT(described.at("parameters_by_dtype").at("q8/128").get<int64_t>(), 1000000);

  const Finished answered =
      run_binary({"ask", "--model", small, "How many people wear a safety helmet?", kSite, "--max-tokens", "8"});
  EXPECT_EQ(answered.exit_code, 0) << answered.err;
  EXPECT_GT(answered.out.size(), 1u);
}

TEST(E2eQuantize, ComparesWithItsOriginal) {
  const TemporaryFolder folder;
  const std::string questions = folder / "questions.jsonl";
  write_file_atomic(questions, R"({"question": "What is red and blue mixed?", "answer": "purple"})"
                               "\n"
                               R"({"question": "How many legs has a cat?", "answer": "4"})");
  std::vector<double> divergences;
  for (const char* type : {"bf16", "q8", "q4"}) {
    const std::string quantized = folder / type;
    ASSERT_EQ(run_binary({"quantize", "default", quantized, "--type", type}).exit_code, 0);
    const Finished compared =
        run_binary({"eval", "--model", quantized, "--compare", "default", "--data", questions, "--json"});
    ASSERT_EQ(compared.exit_code, 0) << compared.err;
    const Json result = Json::parse(compared.out);
    EXPECT_EQ(result.at("prompts"), 2);
    divergences.push_back(result.at("mean_kl").get<double>());
  }
  EXPECT_GT(divergences[0], 0);
  EXPECT_LT(divergences[0], 0.01);
  EXPECT_LT(divergences[1], 0.1);
  EXPECT_GT(divergences[2], divergences[0]);
  EXPECT_LT(divergences[2], 1.0);
}

TEST(E2eQuantize, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  const std::string small = folder / "small";
  expect_one_line_error(run_binary({"quantize", "default", small, "--type", "q3"}), 2, "q4");
  expect_one_line_error(run_binary({"quantize", "default", small, "--type", "q4/33"}), 2, "multiple of 32");
  expect_one_line_error(run_binary({"quantize", folder / "none", small}), 1, "no such model");
  expect_one_line_error(run_binary({"quantize", "default", folder.path().string()}), 2, "exists already");
  ASSERT_EQ(run_binary({"quantize", "default", small}).exit_code, 0);
  expect_one_line_error(run_binary({"quantize", small, folder / "smaller"}), 2, "quantised already");
}

}  // namespace
}  // namespace sensorium::cli
