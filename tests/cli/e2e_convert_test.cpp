// `convert` as a user calls it.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {

std::string golden(const std::string& family) {
  return (std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models" / family).string();
}

TEST(E2eConvert, AnswersStayTheSame) {
  const TemporaryFolder folder;
  const Finished made = run_binary({"convert", golden("qwen2"), folder / "pair", "--to", "gguf", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_GT(Json::parse(made.out).at("files").at("model.gguf").get<int64_t>(), 10'000);
  ASSERT_EQ(run_binary({"convert", folder / "pair", folder / "back", "--to", "safetensors"}).exit_code, 0);
  const auto answer = [&](const std::string& model) {
    const Finished finished = run_binary({"ask", "How many dogs are there?", "--model", model, "--max-tokens", "8"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.out;
  };
  const std::string expected = answer(golden("qwen2"));
  EXPECT_GT(expected.size(), 1u);
  EXPECT_EQ(answer(folder / "pair"), expected);
  EXPECT_EQ(answer(folder / "back"), expected);
}

TEST(E2eConvert, WrongUseIsNamedAndLeavesNothing) {
  const TemporaryFolder folder;
  const std::string out = folder / "out";
  expect_one_line_error(run_binary({"convert", golden("llama"), out, "--to", "gguf", "--type", "q3_k"}), 2,
                        "--type q3_k is none of f32, f16");
  expect_one_line_error(run_binary({"convert", golden("llama"), out, "--to", "safetensors", "--type", "q4_0"}), 2,
                        "is a type of GGUF");
  expect_one_line_error(run_binary({"convert", golden("clip"), out, "--to", "gguf"}), 1, "clip");
  expect_one_line_error(run_binary({"convert", folder / "none", out, "--to", "gguf"}), 1, "none");
  expect_one_line_error(run_binary({"convert", golden("llama"), golden("llama"), "--to", "gguf"}), 2,
                        "is there already");
  expect_one_line_error(run_binary({"convert", golden("llama"), out, "--to", "gguf"}, {.file_limit = 20'000}), 1,
                        "cannot write");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  ASSERT_EQ(run_binary({"convert", golden("llama"), out, "--to", "gguf"}).exit_code, 0);
  expect_one_line_error(run_binary({"convert", out, folder / "again", "--to", "gguf"}), 2, "is GGUF already");
}

// What others read: the package `gguf` for Python, where it is installed.
TEST(E2eConvert, TheReferenceReadsTheFile) {
  const TemporaryFolder folder;
  if (std::system("python3 -c 'import gguf' 2>/dev/null") != 0) GTEST_SKIP() << "no package gguf for python3";
  ASSERT_EQ(run_binary({"convert", golden("llava"), folder / "pair", "--to", "gguf"}).exit_code, 0);
  const std::string script = (std::filesystem::path(SENSORIUM_SOURCE_DIR) / "tools/check_gguf.py").string();
  EXPECT_EQ(std::system(("python3 " + script + " " + golden("llava") + " " + (folder / "pair")).c_str()), 0);
}

}  // namespace
}  // namespace sensorium::cli
