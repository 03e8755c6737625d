// A sense bound to ImageBind's space: it is found by its captions, nothing else of the model changes, and a run goes on bit by bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "data/temp_folder.h"
#include "io/npy.h"
#include "media/encode.h"
#include "media/resize.h"
#include "models/embedding/load_input.h"
#include "models/embedding/vectors.h"
#include "models/golden_folder.h"
#include "models/tiny_model.h"
#include "train/run.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

constexpr int kKinds = 6;
const std::vector<std::string> kNames = {"a cat", "two dogs", "the rain", "a boat", "some music", "one step"};

class BindCourse : public data::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    write_motion("train.jsonl", 4, 1);
    write_motion("test.jsonl", 1, 2);
  }

  // Each kind shakes along an axis of its own.
  void write_motion(const std::string& name, int each, uint64_t seed) {
    std::string lines;
    for (int kind = 0; kind < kKinds; ++kind) {
      for (int i = 0; i < each; ++i) {
        Rng rng = Rng::for_item(seed, static_cast<uint64_t>(kind * each + i));
        const Tensor values_6T = Tensor::randn({6, 256}, rng, 0.2f);
        const double phase = rng.uniform(0, 6.28);
        for (int64_t t = 0; t < 256; ++t)
          values_6T.data<float>()[kind * 256 + t] +=
              2 + static_cast<float>(std::sin(phase + 0.2 * static_cast<double>(t)));
        const std::string file = fmt::format("{}-{}-{}.npy", seed, kind, i);
        write(file, io::encode_npy(values_6T));
        lines += fmt::format("{{\"imu\": \"{}\", \"caption\": \"{}\"}}\n", file, kNames[static_cast<size_t>(kind)]);
      }
    }
    write(name, lines);
  }

  Recipe recipe(const std::string& name, const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> overrides = {
        "out=" + (folder_ / out).string(), "init=" + models::golden_path("imagebind").string(),
        "data.train=" + (folder_ / "train.jsonl").string(), "bind.sense=imu", "compute=f32", "data.pairs_per_batch=24",
        "train.learning_rate=1e-2", "train.weight_decay=0",
        // What random towers say of different texts and pictures is nearly the same.
        "bind.temperature=0.02", "train.save_every=50"};
    overrides.insert(overrides.end(), more.begin(), more.end());
    return Recipe::load(fs::path(SENSORIUM_SOURCE_DIR) / "recipes" / (name + ".yaml"), overrides);
  }
  Error refused(const std::vector<std::string>& more) const {
    return error_of([&] { run_recipe(recipe("imagebind-bind", "refused", more)); });
  }
  // Of the held-out recordings: how many are nearest to their own caption.
  double recall(const fs::path& model) const {
    const auto loaded = models::load_model(model, DType::f32);
    std::vector<models::EmbedInput> motions, texts;
    for (int kind = 0; kind < kKinds; ++kind) {
      motions.push_back(models::load_input(folder_ / fmt::format("2-{}-0.npy", kind), models::InputSense::imu));
      texts.push_back({.text = kNames[static_cast<size_t>(kind)]});
    }
    const Tensor cosines = ops::linear(models::unit_rows(loaded->embedder()->embed(motions)),
                                       models::unit_rows(loaded->embedder()->embed(texts)));
    int found = 0;
    for (int kind = 0; kind < kKinds; ++kind) {
      const float* row = cosines.data<float>() + int64_t{kind} * kKinds;
      found += std::max_element(row, row + kKinds) - row == kind ? 1 : 0;
    }
    return found / static_cast<double>(kKinds);
  }
  // Parameters that differ between two models.
  static std::vector<std::string> changed(const fs::path& from, const fs::path& to) {
    const auto before = models::load_model(from, DType::f32), after = models::load_model(to, DType::f32);
    std::vector<std::string> names;
    for (const nn::Parameter& parameter : before->store().parameters()) {
      const Tensor& now = after->store().find(parameter.name).value;
      if (now.to_floats() != parameter.value.to_floats()) names.push_back(parameter.name);
    }
    return names;
  }
};

TEST_F(BindCourse, TheTowerIsBoundAndNothingElseChanges) {
  const fs::path base = models::golden_path("imagebind");
  EXPECT_LT(recall(base), 0.6);
  const RunSummary summary = run_recipe(recipe("imagebind-bind", "run", {"train.epochs=0", "train.steps=50"}));
  EXPECT_EQ(summary.steps, 50);
  EXPECT_GE(recall(summary.model), 0.8) << "of six, of which chance finds one";
  const std::vector<std::string> names = changed(base, summary.model);
  EXPECT_GT(names.size(), 15u);
  for (const std::string& name : names) EXPECT_TRUE(name.starts_with("imu.")) << name;
}

TEST_F(BindCourse, LowRankChangesAreMerged) {
  const RunSummary summary =
      run_recipe(recipe("imagebind-lora", "run", {"train.epochs=0", "train.steps=50", "train.learning_rate=3e-2"}));
  EXPECT_GE(recall(summary.model), 0.6);
  for (const std::string& name : changed(models::golden_path("imagebind"), summary.model)) {
    const bool matrix =
        name.starts_with("imu.layers.") && name.ends_with(".weight") && name.find("norm") == std::string::npos;
    EXPECT_TRUE(matrix || name == "imu.scale") << name;
  }
}

TEST_F(BindCourse, AStoppedRunGoesOnBitByBitAndPiecesAreTheBatch) {
  for (const std::string& name : {std::string("imagebind-bind"), std::string("imagebind-lora")}) {
    const std::vector<std::string> six = {"train.epochs=0", "train.steps=6", "bind.learn_temperature=true"};
    const auto with = [&](const std::string& more) {
      std::vector<std::string> all = six;
      all.push_back(more);
      return all;
    };
    run_recipe(recipe(name, name + "-whole", six));
    for (const char* stop : {"train.stop_after=2", "train.stop_after=1", "train.stop_after=0"})
      run_recipe(recipe(name, name + "-parts", with(stop)));
    EXPECT_EQ(read_file(folder_ / (name + "-whole/model/model.safetensors")),
              read_file(folder_ / (name + "-parts/model/model.safetensors")))
        << name;
  }
  run_recipe(recipe("imagebind-bind", "once", {"train.epochs=0", "train.steps=2", "data.pairs_per_piece=0"}));
  run_recipe(recipe("imagebind-bind", "pieces", {"train.epochs=0", "train.steps=2", "data.pairs_per_piece=5"}));
  const auto once = models::load_model(folder_ / "once/model", DType::f32),
             pieces = models::load_model(folder_ / "pieces/model", DType::f32);
  for (const nn::Parameter& parameter : once->store().parameters()) {
    const std::vector<float> a = parameter.value.to_floats(),
                             b = pieces->store().find(parameter.name).value.to_floats();
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4) << parameter.name;
  }
}

TEST_F(BindCourse, PicturesAreAnchorsToo) {
  std::string lines;
  for (int i = 0; i < 4; ++i) {
    media::Image squares(6, 6);
    Rng rng(static_cast<uint64_t>(i) + 1);
    for (uint8_t& value : squares.pixels) value = static_cast<uint8_t>(rng.below(256));
    const media::Image picture = media::resize(squares, 48, 48, media::ResizeFilter::nearest);
    write(fmt::format("{}.png", i), media::encode_png(picture));
    lines += fmt::format("{{\"image\": \"{0}.png\", \"thermal\": \"{0}.png\"}}\n", i);
  }
  const fs::path data = write("pairs.jsonl", lines);
  const Recipe pairs = recipe("imagebind-bind", "run",
                              {"data.train=" + data.string(), "bind.sense=thermal", "bind.anchor=image",
                               "train.epochs=0", "train.steps=140", "train.learning_rate=1e-3"});
  const RunSummary summary = run_recipe(pairs);
  // Four pairs told apart better than by chance.
  EXPECT_LT(summary.loss, 0.8 * std::log(4.0));
}

TEST_F(BindCourse, WhatTheAuthorsPublishedIsTheDefault) {
  const Recipe given = Recipe::load(fs::path(SENSORIUM_SOURCE_DIR) / "recipes/imagebind-bind.yaml",
                                    {"out=" + (folder_ / "run").string(), "bind.sense=imu", "compute=f32",
                                     "init=" + models::golden_path("imagebind").string(),
                                     "data.train=" + (folder_ / "train.jsonl").string(), "train.stop_after=1"});
  run_recipe(given);
  const Json step = parse_json(read_file(folder_ / "run/train.jsonl")).value();
  // 24 pairs are one batch of the published 512: 8 rounds are 8 steps, of which the first two warm up to 5e-4.
  EXPECT_NEAR(step.at("learning_rate").get<double>(), 2.5e-4, 1e-6) << step.dump();
  EXPECT_NEAR(step.at("temperature").get<double>(), 0.2, 1e-4) << step.dump();
}

TEST_F(BindCourse, FaultsAreSaidByKey) {
  models::expect_contains(refused({"bind.sense=image"}).message(), {"bind.sense", "audio, depth, thermal and imu"});
  models::expect_contains(refused({"bind.anchor=sound"}).message(), {"anchor", "text or image"});
  models::expect_contains(refused({"bind.drop_path=1"}).message(), {"drop_path"});
  models::expect_contains(refused({"bind.tempreature=1"}).message(), {"temperature"});
  models::expect_contains(refused({"bind.sense=audio"}).message(), {"hold both audio and a caption"});
  models::expect_contains(refused({"trainable=[\"vision.*\"]"}).message(), {"frozen", "imu.*"});
  models::expect_contains(refused({"losses.label=1"}).message(), {"losses", "binding"});
  models::expect_contains(refused({"init=" + models::golden_path("clip").string()}).message(), {"clip", "ImageBind"});
  models::expect_contains(
      error_of([&] { run_recipe(recipe("imagebind-lora", "refused", {"lora.targets=[q_proj]"})); }).message(),
      {"q_proj", "qkv, out, fc1, fc2"});
}

}  // namespace
}  // namespace sensorium::train
