// embed, classify and search with the tiny ImageBind, and what they say to wrong input.
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "cli/binary.h"
#include "io/npy.h"

namespace sensorium::cli {
namespace {

namespace fs = std::filesystem;

const std::string kModel = std::string(SENSORIUM_SOURCE_DIR) + "/tests/golden/models/imagebind";
const std::string kPicture = kModel + "/picture0.png", kSound = kModel + "/short.wav", kFilm = kModel + "/still.mp4";

double dot(const Json& a, const Json& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i].get<double>() * b[i].get<double>();
  return sum;
}

TEST(E2eEmbed, SixSensesAsJsonAndAsAnArray) {
  const TemporaryFolder folder;
  std::string rows = "ax,ay,az,gx,gy,gz\n";
  for (int i = 0; i < 50; ++i) rows += fmt::format("{},0,9.8,0,{},0\n", i * 0.01, i * 0.02);
  write_file_atomic(folder / "walk.csv", rows);
  const std::string npy = folder / "vectors.npy";
  const Finished finished = run_binary({"embed", "--model", kModel, kPicture, kSound, "a cat", kPicture, "--as",
                                        "thermal", kFilm, (folder / "walk.csv") + ":imu", "--json", "--npy", npy});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json json = Json::parse(finished.out);
  const Json& embeddings = json.at("embeddings");
  ASSERT_EQ(embeddings.size(), 6u);
  const std::vector<std::string> senses = {"image", "audio", "text", "thermal", "video", "imu"};
  const Tensor array = io::read_npy(npy);
  EXPECT_EQ(array.shape(), Shape({6, json.at("dim").get<int64_t>()}));
  for (size_t i = 0; i < senses.size(); ++i) {
    EXPECT_EQ(embeddings[i].at("sense"), senses[i]);
    EXPECT_NEAR(dot(embeddings[i].at("embedding"), embeddings[i].at("embedding")), 1.0, 1e-5);
    EXPECT_FLOAT_EQ(embeddings[i].at("embedding")[0].get<float>(),
                    array.data<float>()[static_cast<int64_t>(i) * array.dim(1)]);
  }
  EXPECT_NE(finished.err.find("shorter than"), std::string::npos) << "the sound is shorter than a clip";
}

TEST(E2eEmbed, SumsOfInputs) {
  const Finished finished =
      run_binary({"embed", "--model", kModel, kPicture, "a cat", kPicture, "+", "a cat", "--json", "--raw"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json embeddings = Json::parse(finished.out).at("embeddings");
  ASSERT_EQ(embeddings.size(), 3u);
  // As near to either of its parts.
  const Json &a = embeddings[0].at("embedding"), &b = embeddings[1].at("embedding"),
             &sum = embeddings[2].at("embedding");
  EXPECT_NEAR(dot(a, sum) / std::sqrt(dot(a, a)), dot(b, sum) / std::sqrt(dot(b, b)), 1e-4);
  EXPECT_NEAR(dot(sum, sum), 1.0, 1e-5);
  EXPECT_GT(dot(b, b), 100.0) << "--raw: texts are as long as their temperature";
  const Finished table = run_binary({"embed", "--model", kModel, kPicture, "a cat"});
  EXPECT_NE(table.out.find("1.0000"), std::string::npos) << table.out;
}

TEST(E2eEmbed, TheDefaultModelHasAJointSpace) {
  const Finished finished = run_binary({"embed", kPicture, "a cat", kSound, "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json embeddings = Json::parse(finished.out).at("embeddings");
  ASSERT_EQ(embeddings.size(), 3u);
  for (const Json& one : embeddings) EXPECT_NEAR(dot(one.at("embedding"), one.at("embedding")), 1.0, 1e-5);
}

TEST(E2eEmbed, WhatIsWrongIsSaid) {
  expect_one_line_error(run_binary({"embed", "--model", kModel, "gone.jpg"}), 1, "gone.jpg: no such file");
  expect_one_line_error(run_binary({"embed", "--model", kModel, kModel + "/config.json"}), 2, "does not say what");
  expect_one_line_error(run_binary({"embed", "--model", kModel, kPicture, "--as", "smell"}), 2,
                        "smell is none of text");
  expect_one_line_error(run_binary({"embed", "--model", kModel, kPicture, "--as", "depth"}), 2, "camera.json");
  expect_one_line_error(run_binary({"embed", "--model", kModel, "a", "+"}), 2, "nothing stands behind");
  const std::string clip = std::string(SENSORIUM_SOURCE_DIR) + "/tests/golden/models/clip";
  expect_one_line_error(run_binary({"embed", "--model", clip, kSound}), 1, "audio is no sense of the model clip");
  const Finished long_text = run_binary({"embed", "--model", kModel, std::string(400, 'x'), "--json"});
  EXPECT_EQ(long_text.exit_code, 0) << long_text.err;
  EXPECT_NE(long_text.err.find("the model reads 77"), std::string::npos) << long_text.err;
}

TEST(E2eClassify, AnySenseAndTheNativeModel) {
  const Finished sound = run_binary({"classify", "--model", kModel, kSound, "--labels", "a dog, a car,rain", "--json"});
  ASSERT_EQ(sound.exit_code, 0) << sound.err;
  const Json labels = Json::parse(sound.out)[0].at("labels");
  ASSERT_EQ(labels.size(), 3u);
  double total = 0;
  for (const Json& label : labels) total += label.at("probability").get<double>();
  EXPECT_NEAR(total, 1.0, 1e-5);
  EXPECT_GE(labels[0].at("probability").get<double>(), labels[1].at("probability").get<double>());
  const Finished native = run_binary(
      {"classify", std::string(SENSORIUM_SOURCE_DIR) + "/examples/site.jpg", "--labels", "a building site,a digit"});
  EXPECT_EQ(native.exit_code, 0) << native.err;
  expect_one_line_error(run_binary({"classify", "--model", kModel, kSound, "--labels", ","}), 2, "names no label");
}

TEST(E2eSearch, FindsAndRemembers) {
  const TemporaryFolder folder;
  for (const char* name : {"picture0.png", "picture1.png", "long.wav"}) {
    fs::copy_file(kModel + "/" + name, folder / name);
  }
  const Finished first =
      run_binary({"search", "--model", kModel, kPicture, folder.path().string(), "--json", "--top", "2"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Json found = Json::parse(first.out);
  EXPECT_EQ(found.at("results")[0].at("path"), "picture0.png");
  EXPECT_NEAR(found.at("results")[0].at("cosine").get<double>(), 1.0, 1e-3);
  EXPECT_EQ(found.at("results").size(), 2u);
  EXPECT_EQ(found.at("index").at("read"), 3);
  const Finished again = run_binary(
      {"search", "--model", kModel, kSound, "+", "rain", folder.path().string(), "--sense", "image", "--json"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(Json::parse(again.out).at("index").at("read"), 0);
  EXPECT_EQ(Json::parse(again.out).at("results").size(), 2u);
  const std::string clip = std::string(SENSORIUM_SOURCE_DIR) + "/tests/golden/models/clip";
  expect_one_line_error(run_binary({"search", "--model", clip, "a dog", folder.path().string()}), 2, "was made with");
  expect_one_line_error(run_binary({"search", "--model", kModel, "a dog", kPicture}), 2, "is no folder");
}

TEST(E2eConvert, ImagebindBecomesOneFileAndStaysTheSame) {
  const TemporaryFolder folder;
  const std::string bf16 = folder / "bf16", q8 = folder / "q8";
  ASSERT_EQ(run_binary({"convert", kModel, bf16, "--to", "safetensors", "--type", "bf16"}).exit_code, 0);
  ASSERT_EQ(run_binary({"quantize", bf16, q8, "--type", "q8"}).exit_code, 0);
  const auto vectors = [&](const std::string& model) {
    const Finished finished = run_binary({"embed", "--model", model, kPicture, kSound, "a cat", "--json"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return Json::parse(finished.out).at("embeddings");
  };
  const Json expected = vectors(kModel), same = vectors(bf16), near = vectors(q8);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(same[i].at("embedding"), expected[i].at("embedding"));
    EXPECT_GE(dot(near[i].at("embedding"), expected[i].at("embedding")), 0.995);
  }
}

}  // namespace
}  // namespace sensorium::cli
