// Runs of small recipes: every objective is learned, and what is stopped goes on bit by bit.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "data/temp_folder.h"
#include "thrown.h"
#include "train/run.h"

namespace sensorium::train {
namespace {

const std::filesystem::path kRecipe = std::filesystem::path(SENSORIUM_SOURCE_DIR) / "recipes/world-objectives.yaml";

class ObjectivesCourse : public data::TempFolder {
 protected:
  RunSummary run(const std::string& out, std::vector<std::string> more) const {
    more.push_back("out=" + (folder_ / out).string());
    return run_recipe(Recipe::load(kRecipe, more));
  }
  // The losses of a run by name, step by step.
  std::map<std::string, std::vector<double>> losses(const std::string& out) const {
    std::istringstream text(read_file(folder_ / out / "train.jsonl"));
    std::map<std::string, std::vector<double>> result;
    for (std::string line; std::getline(text, line);) {
      const Json json = parse_json(line).value();
      for (const char* name : {"language", "masked_text", "masked_patches", "frame_order", "contrastive"}) {
        if (json.contains(name) && json[name].is_number()) result[name].push_back(json[name].get<double>());
      }
    }
    return result;
  }
};

TEST_F(ObjectivesCourse, EveryLossFalls) {
  const RunSummary summary = run("run", {"train.steps=40", "train.warmup_steps=5", "data.images_per_batch=12"});
  EXPECT_EQ(summary.steps, 40);
  const auto all = losses("run");
  // What shuffled frames look like takes more steps than this; FrameOrder.TheLossFallsOnUnseenFilms takes them.
  EXPECT_GT(all.at("frame_order").size(), 10u);
  const auto mean = [](const std::vector<double>& values, size_t begin, size_t end) {
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += values[i] / static_cast<double>(end - begin);
    return sum;
  };
  for (const char* name : {"language", "masked_text", "masked_patches", "contrastive"}) {
    const std::vector<double>& values = all.at(name);
    ASSERT_GE(values.size(), 30u) << name;
    const double first = mean(values, 0, 5), last = mean(values, values.size() - 5, values.size());
    EXPECT_LT(last, 0.9 * first) << name;
  }
}

TEST_F(ObjectivesCourse, AStoppedRunGoesOnBitByBit) {
  const std::vector<std::string> small = {"train.steps=4", "data.images_per_batch=4", "data.sense_dropout=0.5"};
  run("whole", small);
  for (const char* stop : {"train.stop_after=1", "train.stop_after=2", "train.stop_after=0"}) {
    std::vector<std::string> part = small;
    part.emplace_back(stop);
    run("parts", part);
  }
  EXPECT_EQ(read_file(folder_ / "whole/model/model.safetensors"), read_file(folder_ / "parts/model/model.safetensors"));
}

TEST_F(ObjectivesCourse, FaultsAreSaidByKey) {
  const auto refused = [&](const std::string& change) {
    return error_of([&] { run("refused", {"train.steps=1", change}); }).message();
  };
  EXPECT_NE(refused("losses.masked_txt=1").find("masked_text"), std::string::npos);
  EXPECT_NE(refused("losses.contrastive=-1").find("contrastive"), std::string::npos);
  EXPECT_NE(refused("masking.text=1.5").find("\"text\" is 1.5, expected 0.01..0.99"), std::string::npos);
  EXPECT_NE(refused("data.sense_dropout=2").find("sense_dropout"), std::string::npos);
  EXPECT_NE(refused("model.fusion.kind=glue").find("glue"), std::string::npos);
}

}  // namespace
}  // namespace sensorium::train
