// A published model is fine-tuned, asked and examined as a user does it.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/json.h"
#include "cli/binary.h"

namespace sensorium::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = SENSORIUM_SOURCE_DIR;
const std::string kBase = (kSource / "tests/golden/models/llava").string();
const std::string kPicture = kBase + "/picture0.png";
const std::string kOther = kBase + "/picture1.png";

std::vector<std::string> train(const std::string& recipe, const std::string& data, const std::string& out,
                               std::vector<std::string> more) {
  more.insert(more.begin(), {"train", (kSource / "recipes" / (recipe + ".yaml")).string(), "data.train=" + data,
                             "out=" + out, "data.conversations_per_batch=4", "train.epochs=0", "train.accumulate=1"});
  return more;
}

std::string answer(const std::vector<std::string>& model, const std::string& picture, const std::string& question) {
  std::vector<std::string> arguments = {"ask", question, picture, "--json", "--max-tokens", "12"};
  arguments.insert(arguments.end(), model.begin(), model.end());
  const Finished finished = run_binary(arguments);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.exit_code == 0 ? Json::parse(finished.out)["answer"].get<std::string>() : "";
}

// Questions as sets of biomedical ones have them: closed and open, the same about two pictures with other answers.
std::string questions() {
  const auto record = [](const std::string& picture, const char* question, const char* truth) {
    return Json{
        {"id", question},
        {"image", picture},
        {"conversations",
         {{{"from", "human"}, {"value", std::string("<image>\n") + question}}, {{"from", "gpt"}, {"value", truth}}}}};
  };
  return Json{record(kPicture, "Is there a boat?", "yes"), record(kOther, "Is there a boat?", "no"),
              record(kPicture, "Where are the cats?", "on a boat"),
              record(kOther, "Where are the cats?", "there are dogs")}
      .dump();
}

TEST(E2eFinetune, AModelLearnsAnswersThatEvalConfirms) {
  const TemporaryFolder folder;
  const std::string data = folder / "questions.json", out = folder / "run";
  write_file_atomic(data, questions());
  const Finished trained = run_binary(
      train("llava-2-instruct", data, out, {"init=" + kBase, "train.steps=120", "train.learning_rate=5e-3", "--json"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Json summary = Json::parse(trained.out);
  EXPECT_EQ(summary["model"], out + "/model");
  EXPECT_LT(summary["loss"].get<double>(), 0.1);
  EXPECT_EQ(answer({"--model", out + "/model"}, kPicture, "Is there a boat?"), "yes");
  EXPECT_EQ(answer({"--model", out + "/model"}, kOther, "Is there a boat?"), "no");
  const Finished examined =
      run_binary({"eval", "--model", out + "/model", "--data", data, "--json", "--max-tokens", "12"});
  ASSERT_EQ(examined.exit_code, 0) << examined.err;
  const Json report = Json::parse(examined.out);
  std::vector<std::string> kinds;
  for (const Json& result : report["results"]) {
    if (!result.contains("class")) continue;
    kinds.push_back(result["class"]);
    for (const auto& [name, metric] : result["metrics"].items()) EXPECT_EQ(metric["value"], 1.0) << name;
    EXPECT_EQ(result["n"], 2);
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"closed", "open"}));
}

TEST(E2eFinetune, AnAdapterOfAQuantisedBase) {
  const TemporaryFolder folder;
  const std::string data = folder / "questions.json", base = folder / "base", out = folder / "run";
  write_file_atomic(data, questions());
  ASSERT_EQ(run_binary({"quantize", kBase, base, "--type", "q8/32", "--towers", "bf16"}).exit_code, 0);
  const Finished trained =
      run_binary(train("llava-2-lora", data, out,
                       {"init=" + base, "lora.rank=8", "lora.alpha=16", "train.steps=150", "train.learning_rate=2e-2",
                        "train.learning_rates={\"projector.*\": 5e-3}"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.out.find("adapter in " + out + "/adapter"), std::string::npos) << trained.out;
  const std::vector<std::string> adapted = {"--model", base, "--adapter", out + "/adapter"};
  EXPECT_EQ(answer(adapted, kPicture, "Is there a boat?"), "yes");
  EXPECT_EQ(answer(adapted, kOther, "Is there a boat?"), "no");
  const Finished examined = run_binary(
      {"eval", "--model", base, "--adapter", out + "/adapter", "--data", data, "--json", "--max-tokens", "12"});
  ASSERT_EQ(examined.exit_code, 0) << examined.err;
  EXPECT_NE(examined.out.find("closed_accuracy"), std::string::npos);
}

TEST(E2eFinetune, TheProjectorOfTheFirstStageGoesIntoTheSecond) {
  const TemporaryFolder folder;
  const std::string captions = (kSource / "tests/golden/train/llava/captions.json").string();
  const std::string first = folder / "first", second = folder / "second";
  ASSERT_EQ(run_binary(train("llava-1-align", captions, first, {"init=" + kBase, "train.steps=2"})).exit_code, 0);
  for (const char* file : {"config.json", "tokenizer.json", "chat_template.jinja", "preprocessor_config.json"}) {
    EXPECT_TRUE(fs::exists(fs::path(first) / "model" / file)) << file;
  }
  const std::string chats = (kSource / "tests/golden/train/llava/conversations.json").string();
  ASSERT_EQ(
      run_binary(train("llava-2-instruct", chats, second, {"init=" + first + "/model", "train.steps=2"})).exit_code, 0);
  answer({"--model", second + "/model"}, kPicture, "How many?");
}

}  // namespace
}  // namespace sensorium::cli
