// The joint space of the native model on frozen encoders: pictures and sounds find their names, and each other though they never
// met; nothing else of the model changes; a run goes on bit by bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/file.h"
#include "data/temp_folder.h"
#include "media/audio.h"
#include "models/embedding/load_input.h"
#include "models/embedding/vectors.h"
#include "models/tiny_senses.h"
#include "train/joint_items.h"
#include "train/run.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;
using models::EmbedInput;
using models::InputSense;

const std::vector<std::string> kClasses = {"cat", "dog", "helmet"};

class JointCourse : public data::TempFolder {
 protected:
  void SetUp() override {
    TempFolder::SetUp();
    models::save_model(folder_ / "base", *models::tiny_model(5, models::tiny_senses_config()),
                       models::tiny_tokenizer_json(), DType::bf16);
    write_sets("train", 8);
    write_sets("test", 3);
    write("recipe.yaml",
          "out: x\ninit: base\ncompute: f32\n"
          "joint: {dim: 16, width: 32, text_width: 16, text_heads: 2, views: 2, dropout: 0}\n"
          "data:\n  pairs_per_batch: 24\n  sets:\n"
          "    - {path: pictures-train.jsonl, augment: none}\n"
          "    - {path: sounds-train.jsonl, augment: none, names: {dog bark: dog}}\n"
          "train: {steps: 120, learning_rate: 1.0e-2, warmup_steps: 5, weight_decay: 0, save_every: 1000}\n");
  }

  // Classes are colours and tones.
  void write_sets(const std::string& part, int each) {
    std::string pictures, sounds;
    for (size_t k = 0; k < kClasses.size(); ++k) {
      for (int i = 0; i < each; ++i) {
        Rng rng = Rng::for_item(part == "train" ? 1 : 2, k * 100 + static_cast<uint64_t>(i));
        media::Image image(40, 40);
        for (size_t p = 0; p < image.pixels.size(); ++p)
          image.pixels[p] = static_cast<uint8_t>((p % 3 == k ? 200 : 20) + rng.below(30));
        const std::string name = fmt::format("{}-{}-{}", part, k, i);
        write(name + ".png", media::encode_png(image));
        media::Audio audio{16'000, 1, {}};
        const double hz = 200.0 * std::pow(4.0, static_cast<double>(k)) * rng.uniform(0.95, 1.05);
        for (int t = 0; t < 8'000; ++t)
          audio.samples.push_back(
              static_cast<float>(0.3 * std::sin(2 * std::numbers::pi * hz * t / 16'000) + 0.01 * rng.normal()));
        write(name + ".wav", media::encode_wav(audio));
        pictures += fmt::format("{{\"image\": \"{}.png\", \"class\": \"{}\"}}\n", name, kClasses[k]);
        sounds +=
            fmt::format("{{\"audio\": \"{}.wav\", \"class\": \"{}\"}}\n", name, k == 1 ? "dog bark" : kClasses[k]);
      }
    }
    write("pictures-" + part + ".jsonl", pictures);
    write("sounds-" + part + ".jsonl", sounds);
  }

  RunSummary run(const std::string& out, std::vector<std::string> more = {}) const {
    more.push_back("out=" + (folder_ / out).string());
    return run_recipe(Recipe::load(folder_ / "recipe.yaml", more));
  }
  std::vector<EmbedInput> inputs(InputSense sense) const {
    std::vector<EmbedInput> all;
    for (size_t k = 0; k < kClasses.size(); ++k) {
      if (sense == InputSense::text) all.push_back({.text = "a " + kClasses[k]});
      for (int i = 0; i < 3 && sense != InputSense::text; ++i) {
        const char* end = sense == InputSense::image ? "png" : "wav";
        all.push_back(models::load_input(folder_ / fmt::format("test-{}-{}.{}", k, i, end), sense));
      }
    }
    return all;
  }
  // How many of one sense's inputs have one of their own class nearest among another sense's.
  double recall(const models::Embedder& embedder, InputSense from, InputSense to) const {
    const Tensor a = models::unit_rows(embedder.embed(inputs(from))), b = models::unit_rows(embedder.embed(inputs(to)));
    const Tensor cosines = ops::linear(a, b);
    const int64_t classes = static_cast<int64_t>(kClasses.size()), candidates = b.dim(0);
    int64_t found = 0;
    for (int64_t i = 0; i < a.dim(0); ++i) {
      const float* row = cosines.data<float>() + i * candidates;
      const int64_t best = std::max_element(row, row + candidates) - row;
      found += best / (candidates / classes) == i / (a.dim(0) / classes) ? 1 : 0;
    }
    return static_cast<double>(found) / static_cast<double>(a.dim(0));
  }
  Error refused(const std::vector<std::string>& more) const {
    return error_of([&] { run("refused", more); });
  }
};

TEST_F(JointCourse, SensesThatNeverMetFindEachOther) {
  const RunSummary summary = run("run");
  EXPECT_EQ(summary.steps, 120);
  const auto model = models::load_model(summary.model, DType::f32);
  const models::Embedder* embedder = model->embedder();
  ASSERT_NE(embedder, nullptr);
  EXPECT_GE(recall(*embedder, InputSense::image, InputSense::text), 0.88);
  EXPECT_GE(recall(*embedder, InputSense::audio, InputSense::text), 0.88);
  EXPECT_GE(recall(*embedder, InputSense::audio, InputSense::image), 0.77) << "of which chance finds a third";
  EXPECT_GE(recall(*embedder, InputSense::image, InputSense::audio), 0.77);
  // The threshold tells most pairs of the test parts apart.
  ASSERT_TRUE(embedder->same_cosine().has_value());
  const Tensor cosines =
      ops::linear(embedder->embed(inputs(InputSense::image)), embedder->embed(inputs(InputSense::audio)));
  int right = 0;
  for (int64_t i = 0; i < 81; ++i)
    right += (cosines.data<float>()[i] > *embedder->same_cosine()) == (i / 9 / 3 == i % 9 / 3) ? 1 : 0;
  EXPECT_GE(right, 70);
  // Encoders, heads and decoder are those of the base.
  const auto base = models::load_model(folder_ / "base", DType::f32);
  for (const nn::Parameter& parameter : base->store().parameters())
    EXPECT_EQ(parameter.value.to_floats(), model->store().find(parameter.name).value.to_floats()) << parameter.name;
}

TEST_F(JointCourse, AStoppedRunGoesOnBitByBit) {
  const std::vector<std::string> six = {"train.steps=6", "joint.dropout=0.2", "data.sets.0.augment=photo"};
  run("whole", six);
  for (const char* stop : {"train.stop_after=2", "train.stop_after=3", "train.stop_after=0"}) {
    std::vector<std::string> part = six;
    part.emplace_back(stop);
    run("parts", part);
  }
  EXPECT_EQ(read_file(folder_ / "whole/model/model.safetensors"), read_file(folder_ / "parts/model/model.safetensors"));
  EXPECT_EQ(read_file(folder_ / "whole/model/config.json"), read_file(folder_ / "parts/model/config.json"));
}

TEST_F(JointCourse, FaultsAreSaidByKey) {
  models::expect_contains(refused({"joint.text_heads=3"}).message(), {"joint", "text_width"});
  models::expect_contains(refused({"joint.dropuot=1"}).message(), {"dropuot"});
  models::expect_contains(refused({"losses.label=1"}).message(), {"losses", "joint space"});
  models::expect_contains(refused({"init="}).message(), {"init"});
  models::expect_contains(refused({"init=" SENSORIUM_SOURCE_DIR "/tests/golden/models/imagebind"}).message(),
                          {"published model", "bind"});
  write("empty.jsonl", "{\"image\": \"train-0-0.png\", \"qa\": [{\"q\": \"a\", \"a\": \"b\"}]}\n");
  models::expect_contains(refused({"data.train=" + (folder_ / "empty.jsonl").string()}).message(),
                          {"empty.jsonl", "class or a caption"});
  models::expect_contains(refused({"data.sets.0.path=", "data.sets.0.world=shapes"}).message(), {"limit"});
}

}  // namespace
}  // namespace sensorium::train
