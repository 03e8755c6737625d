// Runs of published models as the loop sees them: resumed, refused, with records of several kinds.
#include <gtest/gtest.h>

#include <sstream>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "data/temp_folder.h"
#include "io/safetensors.h"
#include "models/changed_folder.h"
#include "models/golden_folder.h"
#include "models/tiny_model.h"
#include "train/course.h"
#include "train/dialogue.h"
#include "train/run.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = SENSORIUM_SOURCE_DIR;

class ConversationCourse : public data::TempFolder {
 protected:
  void TearDown() override {
    set_interrupted(false);
    TempFolder::TearDown();
  }
  Recipe recipe(const std::string& name, const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> overrides = {
        "out=" + (folder_ / out).string(),
        "init=" + models::golden_path("llava").string(),
        "data.train=" + (kSource / "tests/golden/train/llava/conversations.json").string(),
        "data.conversations_per_batch=2",
        "train.accumulate=2",
        "train.epochs=0",
        "train.steps=6",
        "train.save_every=2"};
    overrides.insert(overrides.end(), more.begin(), more.end());
    return Recipe::load(kSource / "recipes" / (name + ".yaml"), overrides);
  }
  std::vector<std::string> steps(const std::string& out) const {
    std::istringstream text(read_file(folder_ / out / "train.jsonl"));
    std::vector<std::string> result;
    for (std::string line; std::getline(text, line);) {
      Json record = parse_json(line).value();
      record.erase("tokens_per_s");
      record.erase("images_per_s");
      result.push_back(record.dump());
    }
    return result;
  }
  Error refused(const std::string& name, std::vector<std::string> more) const {
    return error_of([&] { run_recipe(recipe(name, "refused", std::move(more))); });
  }
};

TEST_F(ConversationCourse, AStoppedRunGoesOnBitByBit) {
  struct Run {
    const char* recipe;
    std::vector<std::string> more;
    const char* result;
  };
  const std::vector<Run> runs = {{"llava-1-align", {}, "model/model.safetensors"},
                                 {"llava-2-instruct", {}, "model/model.safetensors"},
                                 {"llava-2-lora", {"lora.rank=4"}, "adapter/adapter_model.safetensors"}};
  for (const auto& [name, more, result] : runs) {
    const std::string whole = std::string(name) + "-whole", parts = std::string(name) + "-parts";
    run_recipe(recipe(name, whole, more));
    // 3 is no step at which a run saves by itself.
    for (const int64_t stop : {3, 1, 0}) {
      std::vector<std::string> paused = more;
      paused.push_back(fmt::format("train.stop_after={}", stop));
      run_recipe(recipe(name, parts, paused));
    }
    EXPECT_EQ(steps(whole).size(), 6u);
    EXPECT_EQ(steps(whole), steps(parts)) << name;
    EXPECT_TRUE(read_file(folder_ / whole / result) == read_file(folder_ / parts / result)) << name;
  }
}

TEST_F(ConversationCourse, CheckpointsHoldWhatTrainsAndNoMore) {
  run_recipe(recipe("llava-2-lora", "run", {"lora.rank=4", "train.steps=2"}));
  const io::SafetensorsFile state =
      io::SafetensorsFile::open(folder_ / "run/checkpoints/step-00000002/state.safetensors");
  // 7 projections of 2 blocks, two matrices each, and the projector's 4; each with two moments.
  EXPECT_EQ(state.names().size(), (7u * 2 * 2 + 4) * 3);
}

TEST_F(ConversationCourse, CtrlCSavesAndLeavesAnAdapter) {
  set_interrupted(true);
  const Error error = refused("llava-2-lora", {"lora.rank=4"});
  EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  EXPECT_TRUE(fs::exists(folder_ / "refused/adapter/adapter_model.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "refused/checkpoints/step-00000001"));
}

TEST_F(ConversationCourse, ALossThatIsNotFiniteStopsTheRun) {
  const Error error = refused("llava-2-lora", {"lora.rank=4", "train.learning_rate=1e30", "train.warmup_fraction=0",
                                               "train.learning_rates={}", "train.save_every=1"});
  EXPECT_EQ(error.kind(), ErrorKind::numeric);
  models::expect_contains(error.message(), {"not finite", "adapter="});
}

TEST_F(ConversationCourse, AnAdapterIsGoneOnFrom) {
  run_recipe(recipe("llava-2-lora", "first", {"lora.rank=4"}));
  const std::string adapter = (folder_ / "first/adapter").string();
  run_recipe(recipe(
      "llava-2-lora", "second",
      {"lora.rank=4", "adapter=" + adapter, "train.steps=1", "train.learning_rate=1e-30", "train.learning_rates={}"}));
  EXPECT_TRUE(read_file(folder_ / "first/adapter/adapter_model.safetensors") ==
              read_file(folder_ / "second/adapter/adapter_model.safetensors"));
}

TEST_F(ConversationCourse, EpochsCountRecords) {
  const auto course = open_course(
      Recipe::load(kSource / "recipes/llava-2-lora.yaml",
                   {"out=" + (folder_ / "run").string(), "init=" + models::golden_path("llava").string(),
                    "data.train=" + (kSource / "tests/golden/train/llava/conversations.json").string(),
                    "train.epochs=40", "data.conversations_per_batch=3", "train.accumulate=2", "lora.rank=4"}));
  const Schedule schedule = course->options().schedule;
  EXPECT_EQ(schedule.total_steps, 27);  // 160 conversations, 6 a step
  EXPECT_EQ(schedule.warmup_steps, 1);  // 3 %
}

TEST_F(ConversationCourse, KeysOfTheOtherKindAreRefused) {
  models::expect_contains(refused("llava-1-align", {"losses.label=1"}).message(), {"losses", "published model"});
  models::expect_contains(refused("llava-1-align", {"data.images_per_batch=4"}).message(), {"data.images_per_batch"});
  const Error native = error_of([&] {
    run_recipe(Recipe::load(kSource / "recipes/tiny.yaml", {"out=" + (folder_ / "native").string(), "lora.rank=4"}));
  });
  EXPECT_EQ(native.kind(), ErrorKind::usage);
  models::expect_contains(native.message(), {"lora", "native model"});
  models::expect_contains(refused("llava-1-align", {"init=" + models::golden_path("clip").string()}).message(),
                          {"clip"});
}

TEST_F(ConversationCourse, RecordsThatAreNoConversationsBecomeSome) {
  write_picture("a.png");
  write("set.jsonl", R"({"image": "a.png", "qa": [{"q": "How many?", "a": "two"}, {"q": "Why?", "a": "so"}]}
{"image": "a.png", "caption": "a black picture"}
)");
  const RunSummary summary =
      run_recipe(recipe("llava-2-lora", "run", {"data.train=" + (folder_ / "set.jsonl").string(), "lora.rank=2"}));
  EXPECT_EQ(summary.sequences, 24);
  EXPECT_EQ(summary.too_long, 0);
  write("labels.jsonl", R"({"image": "a.png", "class": "black"})");
  const Error error = refused("llava-2-lora", {"data.train=" + (folder_ / "labels.jsonl").string(), "lora.rank=2"});
  models::expect_contains(error.message(), {"labels.jsonl:1", "no conversation"});
}

TEST_F(ConversationCourse, ConversationsWithoutRoomForThePictureEndTheRun) {
  const Error error = refused("llava-1-align", {"data.max_tokens=12", "train.steps=100"});
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  models::expect_contains(error.message(), {"nothing to learn", "12"});
}

TEST(Dialogue, PicturesComeFirst) {
  Lesson lesson;
  lesson.image = std::make_shared<media::Image>(4, 4);
  lesson.captions = {"a boat"};
  lesson.exchanges = {{"How many?", "two", ""}};
  Rng rng(1);
  const std::vector<models::ChatMessage> turns = dialogue_of(lesson, rng);
  ASSERT_EQ(turns.size(), 4u);
  EXPECT_EQ(turns[0].role, "user");
  ASSERT_EQ(turns[0].parts.size(), 2u);
  EXPECT_EQ(turns[0].parts[0].image, lesson.image);
  EXPECT_EQ(turns[1].parts[0].text, "a boat");
  EXPECT_EQ(turns[2].parts[0].text, "How many?");
  EXPECT_EQ(turns[3].role, "assistant");
}

}  // namespace
}  // namespace sensorium::train
