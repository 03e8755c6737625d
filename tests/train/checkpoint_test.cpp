#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "base/json.h"
#include "data/temp_folder.h"
#include "io/safetensors.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

class Checkpoint : public data::TempFolder {
 protected:
  static nn::ParameterStore make_store(uint64_t seed) {
    nn::ParameterStore store(seed);
    store.add("matrix", {4, 6}, nn::Init::normal, 1.0f);
    store.add("bias", {6}, nn::Init::ones);
    store.add("frozen", {3, 2}, nn::Init::normal, 1.0f);
    store.set_trainable({"frozen"}, false);
    return store;
  }
  static void train(nn::ParameterStore& store, AdamW& optimizer, int steps) {
    Rng rng(5 + static_cast<uint64_t>(optimizer.steps_done()));
    for (int i = 0; i < steps; ++i) {
      for (nn::Parameter& parameter : store.parameters()) {
        if (parameter.value.requires_grad()) parameter.value.set_grad(Tensor::randn(parameter.value.shape(), rng));
      }
      optimizer.step(0.01);
    }
  }
  static std::vector<std::vector<float>> all_values(const nn::ParameterStore& store, const AdamW& optimizer) {
    std::vector<std::vector<float>> values;
    for (const nn::Parameter& parameter : store.parameters()) values.push_back(parameter.value.to_floats());
    for (const AdamW::State& entry : optimizer.state()) values.push_back(entry.tensor.to_floats());
    return values;
  }
  // A run with checkpoints after the given steps.
  void save_run(const std::vector<int64_t>& steps, int keep = 2) {
    for (const int64_t step : steps) save_checkpoint(folder_, step, store_, optimizer_, "recipe-a", Kept::all, keep);
  }
  Error load_error(const std::string& fingerprint = "recipe-a") {
    const auto latest = latest_checkpoint(folder_);
    EXPECT_TRUE(latest.has_value());
    try {
      load_checkpoint(*latest, store_, optimizer_, fingerprint);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "the checkpoint was loaded";
    return Error(ErrorKind::usage, "");
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "checkpoints")) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  OptimizerOptions options_{.ema_decay = 0.9};
  nn::ParameterStore store_ = make_store(1);
  AdamW optimizer_{store_, options_};
};

TEST_F(Checkpoint, RestoresParametersAndOptimizerBitForBit) {
  train(store_, optimizer_, 5);
  save_run({5});
  nn::ParameterStore other = make_store(99);
  AdamW resumed(other, options_);
  const auto latest = latest_checkpoint(folder_);
  ASSERT_TRUE(latest.has_value());
  EXPECT_EQ(latest->step, 5);
  EXPECT_EQ(latest->path, folder_ / "checkpoints" / "step-00000005");
  load_checkpoint(*latest, other, resumed, "recipe-a");
  EXPECT_EQ(resumed.steps_done(), 5);
  EXPECT_EQ(all_values(other, resumed), all_values(store_, optimizer_));
  // And they go on alike: moments, averages and the step count are all there.
  train(store_, optimizer_, 3);
  train(other, resumed, 3);
  EXPECT_EQ(all_values(other, resumed), all_values(store_, optimizer_));
}

TEST_F(Checkpoint, KeepsTheNewestAndLeavesNothingElseBehind) {
  save_run({8, 9, 10, 11});
  EXPECT_EQ(entries(), (std::vector<std::string>{"step-00000010", "step-00000011"}));
  EXPECT_EQ(latest_checkpoint(folder_)->step, 11);
  save_run({11}, 1);  // the same step again
  EXPECT_EQ(entries(), (std::vector<std::string>{"step-00000011"}));
  save_run({123456789}, 1);  // longer than the padding
  EXPECT_EQ(latest_checkpoint(folder_)->step, 123456789);
}

TEST_F(Checkpoint, AnEmptyOrMissingFolderHasNone) {
  EXPECT_FALSE(latest_checkpoint(folder_).has_value());
  EXPECT_FALSE(latest_checkpoint(folder_ / "missing").has_value());
}

TEST_F(Checkpoint, PassesOverUnfinishedAndForeignFolders) {
  save_run({4});
  write("checkpoints/.saving-12345/state.json", "{}");
  write("checkpoints/step-00000009x/state.json", "{}");
  write("checkpoints/other/state.json", "{}");
  fs::create_directories(folder_ / "checkpoints" / "step-00000010");  // without state.json: never complete
  EXPECT_EQ(latest_checkpoint(folder_)->step, 4);
}

TEST_F(Checkpoint, AnotherRecipeIsRefused) {
  train(store_, optimizer_, 1);
  save_run({1});
  train(store_, optimizer_, 1);
  const auto before = all_values(store_, optimizer_);
  const Error error = load_error("recipe-b");
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_NE(error.message().find("step-00000001"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("out="), std::string::npos) << error.message();
  EXPECT_EQ(all_values(store_, optimizer_), before);
}

TEST_F(Checkpoint, ADamagedOneIsPassedOverForTheOneBefore) {
  train(store_, optimizer_, 1);
  save_run({1});
  const auto before = all_values(store_, optimizer_);
  train(store_, optimizer_, 1);
  const auto damages = std::vector<std::pair<std::string, std::function<void(const fs::path&)>>>{
      {"state.safetensors", [](const fs::path& path) { fs::resize_file(path, fs::file_size(path) - 4); }},
      {"state.json", [](const fs::path& path) { fs::resize_file(path, 0); }},
      {"state.json", [](const fs::path& path) { fs::remove(path); }}};
  for (const auto& [file, damage] : damages) {
    save_run({2});
    damage(folder_ / "checkpoints" / "step-00000002" / file);
    testing::internal::CaptureStderr();
    const auto resumed = resume(folder_, store_, optimizer_, "recipe-a");
    const std::string warning = testing::internal::GetCapturedStderr();
    ASSERT_TRUE(resumed.has_value());
    EXPECT_EQ(resumed->step, 1);
    EXPECT_EQ(all_values(store_, optimizer_), before);
    EXPECT_TRUE(warning.starts_with("warning: ")) << warning;
    EXPECT_NE(warning.find("step-00000002"), std::string::npos) << warning;
    EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1) << warning;
  }
  // None is whole: an error that names one.
  write("checkpoints/step-00000001/state.json", "");
  try {
    resume(folder_, store_, optimizer_, "recipe-a");
    FAIL() << "it was resumed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    EXPECT_NE(error.message().find("step-00000001"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(resume(folder_ / "missing", store_, optimizer_, "recipe-a").has_value());
}

TEST_F(Checkpoint, ASaveRemovesThoseOfLaterStepsThatWerePassedOver) {
  save_run({10, 20});
  write("checkpoints/step-00000020/state.json", "");
  save_run({15});
  EXPECT_EQ(entries(), (std::vector<std::string>{"step-00000010", "step-00000015"}));
}

TEST_F(Checkpoint, WhatIsNotFiniteIsNotSaved) {
  save_run({1});
  store_.find("bias").value.data<float>()[2] = std::numeric_limits<float>::infinity();
  try {
    save_run({2});
    FAIL() << "it was saved";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    EXPECT_NE(error.message().find("bias"), std::string::npos) << error.message();
  }
  EXPECT_EQ(entries(), (std::vector<std::string>{"step-00000001"}));
}

TEST_F(Checkpoint, ATruncatedFileIsAnErrorThatNamesIt) {
  save_run({1, 2});
  const fs::path weights = folder_ / "checkpoints" / "step-00000002" / "state.safetensors";
  fs::resize_file(weights, fs::file_size(weights) - 4);
  const Error error = load_error();
  EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
  EXPECT_NE(error.message().find("step-00000002"), std::string::npos) << error.message();
}

TEST_F(Checkpoint, DamagedStateIsAnErrorThatNamesIt) {
  for (const char* json : {"{\"step\": 2, \"rec", "[]", "{\"step\": 2, \"optimizer_steps\": 2}",
                           "{\"recipe\": \"recipe-a\", \"optimizer_steps\": \"two\"}", "{\"recipe\": \"recipe-a\"}"}) {
    save_run({2});
    write("checkpoints/step-00000002/state.json", json);
    const Error error = load_error();
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << json;
    EXPECT_NE(error.message().find("state.json"), std::string::npos) << error.message();
  }
}

TEST_F(Checkpoint, MissingAndMisshapenTensorsAreNamed) {
  save_run({2});
  const fs::path weights = folder_ / "checkpoints" / "step-00000002" / "state.safetensors";
  const auto write_without = [&](const std::string& left_out, const std::string& transposed) {
    std::vector<io::NamedTensor> tensors;
    for (const nn::Parameter& p : store_.parameters()) tensors.push_back({p.name, p.value.detach()});
    for (const AdamW::State& entry : optimizer_.state()) tensors.push_back({entry.name, entry.tensor});
    std::erase_if(tensors, [&](const auto& t) { return t.name == left_out; });
    for (io::NamedTensor& t : tensors) {
      if (t.name == transposed) t.tensor = t.tensor.reshape({t.tensor.dim(1), t.tensor.dim(0)});
    }
    io::write_safetensors(weights, tensors, {});
  };
  for (const char* name : {"matrix", "bias/v", "matrix/ema"}) {
    write_without(name, "");
    const Error error = load_error();
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << name;
    EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
  }
  for (const char* name : {"matrix", "matrix/m"}) {
    write_without("", name);
    const Error error = load_error();
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data) << name;
    EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("step-00000002"), std::string::npos) << error.message();
  }
}

TEST_F(Checkpoint, AFailedSaveLeavesTheOldOnesAlone) {
  save_run({1});
  // A tensor that stands twice cannot be written.
  nn::ParameterStore clash;
  clash.add("x", {1, 1}, nn::Init::ones);
  clash.add("x/m", {1, 1}, nn::Init::ones);
  AdamW optimizer(clash, {});
  EXPECT_THROW(save_checkpoint(folder_, 2, clash, optimizer, "recipe-a"), Error);
  EXPECT_EQ(entries(), (std::vector<std::string>{"step-00000001"}));
}

TEST_F(Checkpoint, AFolderThatCannotBeMadeIsAnError) {
  write("checkpoints", "a file");
  try {
    save_run({1});
    FAIL() << "it was saved";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
  }
}

}  // namespace
}  // namespace sensorium::train
