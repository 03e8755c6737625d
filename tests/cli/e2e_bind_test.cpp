// A sense is bound from the command line, and what comes out is a model for embed and eval.
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "cli/binary.h"
#include "io/npy.h"

namespace sensorium::cli {
namespace {

const std::string kSource = SENSORIUM_SOURCE_DIR;
const std::string kModel = kSource + "/tests/golden/models/imagebind";

// Recordings that shake along an axis of each kind's own, with a caption.
void write_motion(const TemporaryFolder& folder) {
  const std::vector<std::string> names = {"a cat", "two dogs", "the rain", "a boat"};
  std::string lines;
  for (size_t kind = 0; kind < names.size(); ++kind) {
    for (int i = 0; i < 4; ++i) {
      Rng rng = Rng::for_item(7, kind * 10 + static_cast<uint64_t>(i));
      const Tensor values_6T = Tensor::randn({6, 128}, rng, 0.1f);
      for (int64_t t = 0; t < 128; ++t)
        values_6T.data<float>()[static_cast<int64_t>(kind) * 128 + t] +=
            2 + static_cast<float>(std::sin(0.2 * static_cast<double>(t)));
      const std::string file = fmt::format("{}-{}.npy", kind, i);
      write_file_atomic(folder / file, io::encode_npy(values_6T));
      lines +=
          fmt::format("{{\"imu\": \"{}\", \"class\": \"kind {}\", \"caption\": \"{}\"}}\n", file, kind, names[kind]);
    }
  }
  write_file_atomic(folder / "motion.jsonl", lines);
}

double metric(const Json& report, const std::string& label, const std::string& name) {
  for (const Json& result : report.at("results")) {
    if (result.value("class", "") == label) return result.at("metrics").at(name).at("value").get<double>();
  }
  ADD_FAILURE() << label << " in " << report.dump();
  return -1;
}

TEST(E2eBind, TrainThenEvalThenEmbed) {
  const TemporaryFolder folder;
  write_motion(folder);
  const std::string data = folder / "motion.jsonl", out = folder / "run";
  const Finished trained =
      run_binary({"train", kSource + "/recipes/imagebind-lora.yaml", "init=" + kModel, "bind.sense=imu",
                  "data.train=" + data, "out=" + out, "train.epochs=60", "data.pairs_per_batch=16",
                  "train.learning_rate=3e-2", "compute=f32", "bind.temperature=0.02", "--json"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_EQ(Json::parse(trained.out).at("steps"), 60);
  const Finished before = run_binary({"eval", "--model", kModel, "--data", data, "--task", "retrieval", "--json"}),
                 after =
                     run_binary({"eval", "--model", out + "/model", "--data", data, "--task", "retrieval", "--json"});
  ASSERT_EQ(after.exit_code, 0) << after.err;
  const double was = metric(Json::parse(before.out), "captions by medium", "recall@1"),
               is = metric(Json::parse(after.out), "captions by medium", "recall@1");
  EXPECT_GE(is, 0.9) << "of four captions; before " << was;
  EXPECT_LT(was, is);
  const Finished embedded =
      run_binary({"embed", "--model", out + "/model", folder / "0-0.npy", "--as", "imu", "a cat"});
  EXPECT_EQ(embedded.exit_code, 0) << embedded.err;
  // One sense alone has nothing to be compared with.
  const Finished across = run_binary({"eval", "--model", out + "/model", "--data", data, "--task", "across", "--json"});
  EXPECT_EQ(across.exit_code, 0) << across.err;
  EXPECT_TRUE(Json::parse(across.out).at("results").empty());
}

TEST(E2eBind, WhatIsWrongIsSaid) {
  const TemporaryFolder folder;
  write_motion(folder);
  const std::string data = folder / "motion.jsonl", recipe = kSource + "/recipes/imagebind-bind.yaml";
  expect_one_line_error(run_binary({"train", recipe, "init=" + kModel, "bind.sense=smell", "data.train=" + data,
                                    "out=" + (folder / "x")}),
                        2, "audio, depth, thermal and imu");
  expect_one_line_error(run_binary({"train", recipe, "bind.sense=imu", "data.train=" + data, "out=" + (folder / "x")}),
                        2, "init");
  expect_one_line_error(run_binary({"eval", "--model", kModel, "--data", data, "--name", "dog bark"}), 2, "CLASS=NAME");
}

}  // namespace
}  // namespace sensorium::cli
