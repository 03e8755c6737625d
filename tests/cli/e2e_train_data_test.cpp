// Training on a user's own data: every kind of record, what is refused, and where paths start.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {

const std::string kSource = SENSORIUM_SOURCE_DIR;
const std::string kRecipe = kSource + "/recipes/tiny.yaml";

class OwnData : public testing::Test {
 protected:
  // A data set of one record per line, repeated until a batch finds what it needs; "@" is the folder of the example pictures.
  std::string write_set(const std::string& name, std::string lines, int times = 1) {
    for (size_t at; (at = lines.find('@')) != std::string::npos;) lines.replace(at, 1, kSource + "/examples");
    std::string text;
    for (int i = 0; i < times; ++i) text += lines;
    write_file_atomic(folder_ / name, text);
    return folder_ / name;
  }
  // A very short run of the tiny recipe on one set.
  Finished train(const std::string& set, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train",
                                          kRecipe,
                                          "data.train=" + set,
                                          "out=" + out_,
                                          "train.steps=2",
                                          "tokenizer.vocabulary=300",
                                          "data.images_per_batch=2",
                                          "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_binary(arguments);
  }
  // The steps' lines of train.jsonl.
  std::vector<Json> steps() const {
    std::istringstream text(read_file(out_ + "/train.jsonl"));
    std::vector<Json> result;
    for (std::string line; std::getline(text, line);) result.push_back(Json::parse(line));
    return result;
  }
  bool learned(const char* part) const {
    const std::vector<Json> all = steps();
    return std::all_of(all.begin(), all.end(), [&](const Json& step) { return step.contains(part); });
  }

  TemporaryFolder folder_;
  std::string out_ = folder_ / "run";
};

TEST_F(OwnData, InstructionsWithoutPictures) {
  const Finished finished = train(write_set("instr.jsonl", R"({"instruction": "Name a colour.", "response": "red"}
{"question": "How many legs has a dog?", "answer": "four"}
{"text": "The dog ran over the hill and was gone."}
)"));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(learned("language"));
}

TEST_F(OwnData, TheFinetuningRecipeTakesTextToo) {
  const std::string set = write_set("instr.jsonl", R"({"instruction": "Name a colour.", "response": "red"}
{"instruction": "Name an animal.", "response": "dog"}
{"instruction": "Name a tree.", "response": "oak"}
)");
  const Finished finished =
      run_binary({"train", kSource + "/recipes/finetune.yaml", "data.train=" + set, "out=" + out_, "train.steps=1",
                  "data.images_per_batch=1", "data.validation_fraction=0", "trainable=['*norm*']"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(learned("language"));
}

TEST_F(OwnData, ConversationsWithSeveralPictures) {
  const std::string set =
      write_set("chat.jsonl", R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", )"
                              R"("content": [{"type": "text", "text": "Which is a digit,"}, {"type": )"
                              R"("image", "image": "@/digit.png"}, {"type": "text", "text": "or"}, )"
                              R"({"type": "image", "image": "@/blocks.png"}]}, {"role": "assistant", )"
                              R"("content": "the first"}, {"role": "user", "content": "Sure?"}, )"
                              R"({"role": "assistant", "content": "yes"}]}
{"image": "@/digit.png", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "a digit"}]}
)");
  const Finished finished = train(set);
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(learned("language"));
  EXPECT_EQ(Json::parse(finished.out).at("too_long"), 0);
}

TEST_F(OwnData, BoxesTeachTheDetector) {
  const std::string set =
      write_set("boxes.jsonl", R"({"image": "@/parts.jpg", "boxes": [{"box": [5, 5, 60, 60], "class": "bolt"}]}
)");
  ASSERT_EQ(train(set).exit_code, 0);
  EXPECT_TRUE(learned("center"));
  EXPECT_TRUE(learned("box"));
  EXPECT_EQ(read_json_file(out_ + "/model/config.json").at("heads").at("objects"), Json::array({"bolt"}));
  // Unless it is told to leave them out.
  out_ = folder_ / "without";
  const std::string both = write_set(
      "both.jsonl", R"({"image": "@/parts.jpg", "class": "part", "boxes": [{"box": [5, 5, 60, 60], "class": "bolt"}]}
)");
  ASSERT_EQ(train(both, {"data.objects=[]"}).exit_code, 0);
  EXPECT_TRUE(learned("label"));
  EXPECT_FALSE(learned("center"));
}

TEST_F(OwnData, SensesThatTheModelLacksAreRefusedByLine) {
  for (const char* record : {R"({"audio": "bark.wav", "class": "dog"})", R"({"imu": "a.npy", "class": "walk"})",
                             R"({"video": "clip.mp4", "class": "walk"})", R"({"depth": "a.png", "caption": "a room"})",
                             R"({"frames": ["0.jpg", "1.jpg"], "class": "walk"})"}) {
    const std::string set = write_set("set.jsonl", std::string("{\"text\": \"words\"}\n") + record + "\n");
    expect_one_line_error(train(set), 2, "but the model has no such sense: give its sizes in model.senses.");
  }
}

TEST_F(OwnData, WhatDoesNotFitIsCountedAndSaid) {
  // Every digit is a token.
  const std::string lengthy =
      R"({"image": "@/digit.png", "qa": [{"q": ")" + std::string(2000, '7') + R"(", "a": "long"}]}
)";
  const Finished none = train(write_set("long.jsonl", lengthy), {"train.steps=30"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.err.find("longer than the context of 512 tokens"), std::string::npos) << none.err;
  out_ = folder_ / "some";
  const Finished some =
      train(write_set("some.jsonl", lengthy + R"({"image": "@/digit.png", "qa": [{"q": "what?", "a": "five"}]}
)"),
            {"data.order=shuffled"});
  ASSERT_EQ(some.exit_code, 0) << some.err;
  EXPECT_NE(some.err.find("warning: 2 of 4 conversations"), std::string::npos) << some.err;
  const Json summary = Json::parse(some.out);
  EXPECT_EQ(summary.at("sequences"), 4);
  EXPECT_EQ(summary.at("too_long"), 2);
}

TEST_F(OwnData, AFinishedRunSaysItsLossAgainAndOneThatStoppedThatItResumes) {
  const std::string set = write_set("set.jsonl", R"({"text": "The dog ran over the hill and was gone."}
)");
  ASSERT_EQ(train(set, {"train.stop_after=1", "train.steps=2"}).exit_code, 0);
  const Finished resumed = train(set);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resuming at step 1\n"), std::string::npos) << resumed.err;
  const Json first = Json::parse(resumed.out);
  EXPECT_EQ(first.at("loss"), steps().back().at("loss"));
  const auto entries = [&] { return std::distance(std::filesystem::recursive_directory_iterator(out_), {}); };
  const auto before = entries();
  const Finished again = train(set);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(Json::parse(again.out).at("loss"), first.at("loss"));
  EXPECT_EQ(entries(), before);
}

TEST_F(OwnData, ADamagedCheckpointIsPassedOver) {
  const std::string set = write_set("set.jsonl", R"({"text": "The dog ran over the hill and was gone."}
)");
  ASSERT_EQ(train(set, {"train.save_every=1"}).exit_code, 0);
  const std::string weights = read_file(out_ + "/model/model.safetensors");
  const std::string newest = out_ + "/checkpoints/step-00000002/state.json";
  write_file_atomic(newest, "");
  const Finished resumed = train(set, {"train.save_every=1"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(resumed.err.starts_with("warning: " + newest)) << resumed.err;
  EXPECT_NE(resumed.err.find("resuming at step 1\n"), std::string::npos) << resumed.err;
  EXPECT_EQ(read_file(out_ + "/model/model.safetensors"), weights);
}

TEST_F(OwnData, OneRunPerFolder) {
  const std::string set = write_set("set.jsonl", "{\"text\": \"words and words\"}\n");
  std::filesystem::create_directories(out_);
  const FileLock other(out_ + "/run.lock");
  expect_one_line_error(train(set), 1, "another run");
}

TEST_F(OwnData, AModelGoesOnWithALowerLearningRate) {
  const std::string set = write_set("set.jsonl", R"({"text": "The dog ran over the hill and was gone."}
)");
  ASSERT_EQ(train(set).exit_code, 0);
  const std::string model = out_ + "/model";
  out_ = folder_ / "lower";
  const Finished lower = train(set, {"init=" + model, "train.learning_rate=1e-5"});
  EXPECT_EQ(lower.exit_code, 0) << lower.err;
}

TEST_F(OwnData, WeightsThatDoNotFitNameTensorAndFile) {
  const std::string set = write_set("set.jsonl", "{\"text\": \"words and words\"}\n");
  ASSERT_EQ(train(set).exit_code, 0);
  const std::string model = out_ + "/model";
  out_ = folder_ / "wider";
  const Finished finished = train(set, {"init=" + model, "model.decoder.mlp_width=256"});
  expect_one_line_error(finished, 1, model + "/model.safetensors: tensor decoder.");
  EXPECT_NE(finished.err.find("has shape"), std::string::npos) << finished.err;
}

TEST_F(OwnData, WrongValuesAreWrongUsageAndWrongModelsAreNot) {
  const std::string set = write_set("set.jsonl", "{\"text\": \"words and words\"}\n");
  for (const char* wrong : {"train.steps=abc", "train.steps=0", "seed=-1", "trainable=foo", "trainable=[foo]", "data=3",
                            "data.images_per_batch=lots", "model.decoder.dim=-5", "model.decoder=3", "model.decodr={}",
                            "model.query_dim=wide", "losses.label=-1", "compute=fp8"}) {
    expect_one_line_error(train(set, {wrong}), 2, "");
  }
  ASSERT_EQ(train(set).exit_code, 0);
  const std::string config = out_ + "/model/config.json";
  Json json = read_json_file(config);
  json["colour"] = "red";
  write_file_atomic(config, json.dump());
  const std::string model = out_ + "/model";
  out_ = folder_ / "next";
  expect_one_line_error(train(set, {"init=" + model}), 1, "unknown key \"colour\"");
  expect_one_line_error(run_binary({"inspect", model}), 1, "unknown key \"colour\"");
}

TEST_F(OwnData, PathsOfARecipeStartAtItsFolder) {
  write_set("words.jsonl", R"({"text": "The dog ran over the hill and was gone."}
)");
  write_file_atomic(folder_ / "mine.yaml", R"(name: mine
model:
  prepare: {max_pixels: 4096, min_side: 32, max_aspect: 4}
  image: {stem_channels: [8, 8, 16, 16], stem_blocks: [1, 1, 1], norm_groups: 2, dim: 16, layers: 1, heads: 2, mlp_width: 24}
  decoder: {context: 64, dim: 16, layers: 1, heads: 2, kv_heads: 1, head_dim: 8, mlp_width: 24}
tokenizer: {vocabulary: 300}
data:
  images_per_batch: 0
  texts_per_batch: 2
  texts: [{path: words.jsonl}]
train: {steps: 1}
)");
  const Finished finished = run_binary({"train", folder_ / "mine.yaml", "out=" + out_});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  // Those of the command line start at the working directory.
  expect_one_line_error(
      run_binary({"train", folder_ / "mine.yaml", "out=" + out_ + "2", "data.texts.0.path=words.jsonl"}), 1,
      (std::filesystem::current_path() / "words.jsonl").string());
}

TEST(E2eTrainHelp, SaysWhereTheKeysAreDescribed) {
  const Finished help = run_binary({"train", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("docs/training.md"), std::string::npos) << help.out;
}

}  // namespace
}  // namespace sensorium::cli
