// `sensorium bench`: the object that other programs read.
#include <gtest/gtest.h>

#include <set>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {

TEST(E2eBench, PrintsTheContractsObject) {
  const Finished finished =
      run_binary({"bench", "--filter", "gemm/f32/1x|encode/image", "--seconds", "0", "--threads", "1", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json json = Json::parse(finished.out);
  const Json& machine = json.at("machine");
  for (const char* key : {"f32_peak_gflops", "bf16_peak_gflops", "int8_peak_gops", "read_gb_s"})
    EXPECT_GT(machine.at(key).get<double>(), 0) << key;
  EXPECT_EQ(machine.at("threads"), 1);
  EXPECT_TRUE(machine.at("cpu").is_string());
  const std::set<std::string> keys = {"name", "threads", "median_ms", "p10_ms", "p90_ms", "gflops", "gb_s", "of_peak"};
  ASSERT_EQ(json.at("results").size(), 2u);
  for (const Json& result : json.at("results")) {
    std::set<std::string> found;
    for (const auto& [key, value] : result.items()) found.insert(key);
    EXPECT_EQ(found, keys) << result;
    EXPECT_LE(result.at("p10_ms"), result.at("median_ms"));
    EXPECT_LE(result.at("median_ms"), result.at("p90_ms"));
  }
  EXPECT_GT(json.at("results")[0].at("of_peak").get<double>(), 0);
  // The operations of the model's own work are not counted.
  EXPECT_EQ(json.at("results")[1].at("name"), "encode/image");
  for (const char* key : {"gflops", "gb_s", "of_peak"}) EXPECT_TRUE(json.at("results")[1].at(key).is_null()) << key;
}

TEST(E2eBench, SaysWhatIsWrong) {
  expect_one_line_error(run_binary({"bench", "--filter", "gem/"}), 2, "gemm/");
  expect_one_line_error(run_binary({"bench", "--filter", "("}), 2, "regular expression");
  expect_one_line_error(run_binary({"bench", "--threads", "0"}), 2, "1..256");
  expect_one_line_error(run_binary({"bench", "--threads", "-4"}), 2, "1..256");
  expect_one_line_error(run_binary({"bench", "--seconds", "-1"}), 2, "--seconds");
}

}  // namespace
}  // namespace sensorium::cli
