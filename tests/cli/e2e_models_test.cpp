// Published checkpoints as a user has them: folders and files of every layout.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/json.h"
#include "cli/binary.h"
#include "models/film_of_frames.h"

namespace sensorium::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kModels = fs::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models";
const std::string kPicture = (kModels / "llava_original/picture0.png").string();

Json ask(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"ask", "How many dogs are there?"});
  arguments.insert(arguments.end(), {"--json", "--max-tokens", "4"});
  const Finished finished = run_binary(arguments);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.exit_code == 0 ? Json::parse(finished.out) : Json();
}

TEST(E2eModels, EveryLayoutAnswersAboutAPicture) {
  const int own = ask({kPicture, "--model", (kModels / "llava").string()})["tokens"]["prompt"];
  EXPECT_GT(own, 16);
  // Its tokenizer is a tokenizer.model, and nothing else.
  const Json original = ask({kPicture, "--model", (kModels / "llava_original").string()});
  EXPECT_EQ(original["tokens"]["generated"], 4);
  const std::string file = (kModels / "llava_gguf/llava-tiny-f16.gguf").string();
  EXPECT_EQ(ask({kPicture, "--model", file})["answer"], original["answer"]);
  EXPECT_EQ(ask({kPicture, "--model", (kModels / "llava_gguf").string()})["answer"], original["answer"]);
  const int two = ask({kPicture, kPicture, "--model", file})["tokens"]["prompt"];
  EXPECT_GE(two, original["tokens"]["prompt"].get<int>() + 16);
  EXPECT_GT(ask({kPicture, kPicture, "--model", (kModels / "llava_onevision").string()})["tokens"]["prompt"], 20);
}

TEST(E2eModels, OnevisionWatchesAFilm) {
  const TemporaryFolder folder;
  const fs::path model = kModels / "llava_onevision", film = folder.path() / "film.mkv";
  models::write_lossless_film(model / "frame%d.png", film);
  const int with = ask({film.string(), "--model", model.string()})["tokens"]["prompt"],
            without = ask({"--model", model.string()})["tokens"]["prompt"];
  // Three frames of 2 x 2 rows and a newline; the words around them are the template's.
  EXPECT_GE(with, without + 13);
  EXPECT_LE(with, without + 16);
  const Finished chatted = run_binary({"chat", "--model", model.string(), "--max-tokens", "4"},
                                      {.input = "/video " + film.string() + "\nWhat happens?\n"});
  EXPECT_EQ(chatted.exit_code, 0) << chatted.err;
  EXPECT_EQ(chatted.err.find("error"), std::string::npos) << chatted.err;
  expect_one_line_error(run_binary({"ask", "x", film.string(), "--model", (kModels / "llava").string()}), 1, "");
}

TEST(E2eModels, TowersAndTemplatesAreGiven) {
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model", tower = folder.path() / "tower";
  fs::copy(kModels / "llava_original", model, fs::copy_options::recursive);
  fs::rename(model / "clip-vit-tiny-patch7-28", tower);
  expect_one_line_error(run_binary({"ask", "x", kPicture, "--model", model.string()}), 1, "--tower DIR");
  const Json answer = ask({kPicture, "--model", model.string(), "--tower", tower.string()});
  EXPECT_EQ(answer["answer"], ask({kPicture, "--model", (kModels / "llava_original").string()})["answer"]);
  const Json shorter =
      ask({kPicture, "--model", model.string(), "--tower", tower.string(), "--chat-template", "mistral"});
  EXPECT_LT(shorter["tokens"]["prompt"], answer["tokens"]["prompt"]);
  const std::string gguf = (kModels / "llava_gguf/llava-tiny-f16.gguf").string(),
                    next = (kModels / "llava_next_gguf/mmproj-model-f16.gguf").string();
  EXPECT_GT(ask({kPicture, "--model", gguf, "--mmproj", next})["tokens"]["prompt"], answer["tokens"]["prompt"]);
}

TEST(E2eModels, InspectShowsEveryLayoutAndListsFaults) {
  for (const char* name : {"llama", "qwen2", "clip", "llava", "llava_next", "llava_onevision", "llava_original",
                           "llava_next_original", "llava_gguf", "llava_next_gguf", "gguf/llama.gguf"}) {
    const Finished finished = run_binary({"inspect", (kModels / name).string(), "--json"});
    ASSERT_EQ(finished.exit_code, 0) << name << ": " << finished.err;
    EXPECT_GT(Json::parse(finished.out)["parameters"], 1000) << name;
  }
  const TemporaryFolder folder;
  fs::copy(kModels / "llava_gguf", folder.path() / "pair", fs::copy_options::recursive);
  // The tower of a model with another decoder does not fit: every tensor of the language model is expected as it is there.
  fs::copy_file(kModels / "gguf/qwen2.gguf", folder.path() / "pair/llava-tiny-f16.gguf",
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(run_binary({"inspect", (folder.path() / "pair").string()}).exit_code, 0);  // of the same width: it fits
  fs::copy(kModels / "llama", folder.path() / "cut", fs::copy_options::recursive);
  const std::string config = read_file(folder.path() / "cut/config.json");
  std::string deeper = config;
  const std::string layers = "\"num_hidden_layers\": 2";
  deeper.replace(deeper.find(layers), layers.size(), "\"num_hidden_layers\": 3");
  write_file_atomic(folder.path() / "cut/config.json", deeper);
  const Finished finished = run_binary({"inspect", (folder.path() / "cut").string()});
  expect_one_line_error(finished, 1, "9 tensors are missing");
  EXPECT_NE(finished.err.find("model.layers.2.mlp.down_proj.weight"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace sensorium::cli
