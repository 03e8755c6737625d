#include "train/recipe.h"

#include <gtest/gtest.h>

#include "data/temp_folder.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecipe = R"(# A comment.
name: tried
out: runs/a
seed: 5
model:
  decoder: {dim: 64}
tokenizer: {vocabulary: 700, texts: [words.jsonl]}
data:
  root: ../sets
  images_per_batch: 4
  readings_per_batch: 7
  validation_fraction: 0.1
  sets:
    - {path: a.jsonl, weight: 2, augment: photo, objects: [head, helmet], scene: people}
    - {world: shapes}
  readings:
    - {world: blocks, weight: 3, objects: [black square], scene: blocks}
  texts:
    - {path: b.txt}
train:
  steps: 100
  learning_rate: 2.0e-3
  save_every: 20
losses: {label: 0.5, language: 0}
trainable: ["decoder.*"]
)";

class RecipeFile : public data::TempFolder {
 protected:
  Recipe load(const std::vector<std::string>& overrides = {}, const std::string& text = kRecipe) {
    return Recipe::load(write("recipes/try.yaml", text), overrides);
  }
  Error load_error(const std::vector<std::string>& overrides = {}, const std::string& text = kRecipe) {
    try {
      load(overrides, text);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "it was loaded";
    return Error(ErrorKind::io, "");
  }
};

TEST_F(RecipeFile, ReadsEveryPart) {
  const Recipe recipe = load();
  EXPECT_EQ(recipe.name, "tried");
  EXPECT_EQ(recipe.out, "runs/a");
  EXPECT_EQ(recipe.seed, 5u);
  EXPECT_EQ(recipe.model.at("decoder").at("dim"), 64);
  EXPECT_EQ(recipe.vocabulary, 700);
  EXPECT_EQ(recipe.tokenizer_texts, (std::vector<std::string>{"words.jsonl"}));
  ASSERT_EQ(recipe.sets.size(), 2u);
  EXPECT_EQ(recipe.sets[0].path, "a.jsonl");
  EXPECT_EQ(recipe.sets[0].weight, 2);
  EXPECT_EQ(recipe.sets[0].augment, "photo");
  EXPECT_EQ(recipe.sets[0].objects, (std::vector<std::string>{"head", "helmet"}));
  EXPECT_EQ(recipe.sets[0].scene, "people");
  EXPECT_EQ(recipe.sets[1].world, "shapes");
  EXPECT_EQ(recipe.sets[1].weight, 1);
  EXPECT_EQ(recipe.sets[1].augment, "none");
  ASSERT_EQ(recipe.readings.size(), 1u);
  EXPECT_EQ(recipe.readings[0].world, "blocks");
  EXPECT_EQ(recipe.readings[0].weight, 3);
  EXPECT_EQ(recipe.readings_per_batch, 7);
  ASSERT_EQ(recipe.texts.size(), 1u);
  EXPECT_EQ(recipe.texts[0].path, "b.txt");
  EXPECT_EQ(recipe.images_per_batch, 4);
  EXPECT_DOUBLE_EQ(recipe.validation_fraction, 0.1);
  EXPECT_EQ(recipe.losses.label, 0.5f);
  EXPECT_EQ(recipe.losses.detection, 1);
  EXPECT_EQ(recipe.losses.language, 0);
  EXPECT_EQ(recipe.trainable, (std::vector<std::string>{"decoder.*"}));
  EXPECT_EQ(recipe.compute, DType::bf16);
  EXPECT_EQ(recipe.trainer.out, recipe.out);
  EXPECT_EQ(recipe.trainer.schedule.total_steps, 100);
  EXPECT_DOUBLE_EQ(recipe.trainer.schedule.peak, 2e-3);
  EXPECT_EQ(recipe.trainer.save_every, 20);
  EXPECT_EQ(recipe.trainer.fingerprint, recipe.fingerprint());
}

TEST_F(RecipeFile, TheNameIsTheFilesUnlessGiven) {
  EXPECT_EQ(load({}, "out: x\nmodel: {merge: 2}\ntrain: {steps: 1}\n").name, "try");
}

TEST_F(RecipeFile, OverridesReplaceValues) {
  const Recipe recipe = load({"out=elsewhere", "train.steps=7", "train.learning_rate=1e-4", "data.sets.0.weight=3.5",
                              "data.sets.1.world=blocks", "compute=f32", "losses.box=0",
                              "trainable=[image.*, '*norm*']", "train.accumulate=2"});
  EXPECT_EQ(recipe.out, "elsewhere");
  EXPECT_EQ(recipe.trainer.out, "elsewhere");
  EXPECT_EQ(recipe.trainer.schedule.total_steps, 7);
  EXPECT_DOUBLE_EQ(recipe.trainer.schedule.peak, 1e-4);
  EXPECT_DOUBLE_EQ(recipe.sets[0].weight, 3.5);
  EXPECT_EQ(recipe.sets[1].world, "blocks");
  EXPECT_EQ(recipe.compute, DType::f32);
  EXPECT_EQ(recipe.losses.box, 0);
  EXPECT_EQ(recipe.trainable, (std::vector<std::string>{"image.*", "*norm*"}));
  EXPECT_EQ(recipe.trainer.accumulate, 2);
}

TEST_F(RecipeFile, PathsOfTheFileAreRelativeToItAndOverridesToTheWorkingFolder) {
  const fs::path folder = folder_ / "recipes";
  const std::string text = std::string(kRecipe) + "init: ../base\n";
  const Recipe recipe = load({}, text);
  EXPECT_EQ(recipe.data_root.lexically_normal(), (folder_ / "sets").lexically_normal());
  EXPECT_EQ(fs::path(recipe.init).lexically_normal(), (folder_ / "base").lexically_normal());
  const Recipe moved = load({"init=mine", "data.root=there", "data.train=my.jsonl"}, text);
  EXPECT_EQ(moved.init, "mine");
  EXPECT_EQ(moved.data_root, "there");
  ASSERT_EQ(moved.sets.size(), 1u);  // in place of the file's
  EXPECT_EQ(moved.sets[0].path, fs::absolute("my.jsonl"));
  EXPECT_TRUE(moved.sets[0].world.empty());
  const Recipe absolute = load({"init=/models/mine", "data.root=/data"}, text);
  EXPECT_EQ(absolute.init, "/models/mine");
  EXPECT_EQ(absolute.data_root, "/data");
  const Recipe only = load({}, "out: x\ninit: /m\ndata: {train: my.jsonl}\ntrain: {steps: 1}\n");
  EXPECT_EQ(only.sets.at(0).path, folder / "my.jsonl");
  EXPECT_EQ(only.data_root, folder);  // where the file lies, unless it says otherwise
  EXPECT_EQ(only.out, "x");           // in the working folder: where results go is no part of the recipe
  // Of sets, those of the file start at the root, those of overrides at the working folder; also where they are equal.
  const Recipe sets = load({"data.sets.0.path=a.jsonl", "tokenizer.texts=[words.jsonl]", "data.root=../sets"}, text);
  EXPECT_EQ(sets.data_root, "../sets");
  EXPECT_EQ(sets.sets[0].path, fs::absolute("a.jsonl"));
  EXPECT_EQ(sets.texts[0].path, "b.txt");
  EXPECT_EQ(sets.tokenizer_texts.at(0), fs::absolute("words.jsonl"));
  EXPECT_EQ(load({"data.sets=[{path: a.jsonl}]"}, text).sets.at(0).path, fs::absolute("a.jsonl"));
}

TEST_F(RecipeFile, TheOptionsOfTheOneSetStandBesideIt) {
  const SetRecipe plain = load({"data.train=my.jsonl"}).sets.at(0);
  EXPECT_TRUE(plain.boxed_objects);
  EXPECT_TRUE(plain.objects.empty());
  EXPECT_EQ(plain.augment, "none");
  EXPECT_EQ(plain.scene, "");
  const SetRecipe all =
      load({"data.train=my.jsonl", "data.objects=[nut, bolt]", "data.scene=a bench", "data.augment=photo"}).sets.at(0);
  EXPECT_FALSE(all.boxed_objects);
  EXPECT_EQ(all.objects, (std::vector<std::string>{"nut", "bolt"}));
  EXPECT_EQ(all.scene, "a bench");
  EXPECT_EQ(all.augment, "photo");
  EXPECT_FALSE(load({"data.train=my.jsonl", "data.objects=[]"}).sets.at(0).boxed_objects);
  EXPECT_FALSE(load().sets.at(0).boxed_objects);  // the sets of a list say it themselves
  const Error error = load_error({"data.scene=a bench"});
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_NE(error.message().find("data.train"), std::string::npos) << error.message();
}

TEST_F(RecipeFile, TheOrderOfTheData) {
  EXPECT_EQ(load().order, DataOrder::replacement);
  EXPECT_EQ(load({"data.order=shuffled"}).order, DataOrder::shuffled);
  EXPECT_NE(load_error({"data.order=sorted"}).message().find("sorted"), std::string::npos);
}

TEST_F(RecipeFile, TyposSuggestTheNearestKey) {
  for (const auto& [override_, near] :
       std::vector<std::pair<std::string, std::string>>{{"sed=3", "seed"},
                                                        {"trainabel=[x]", "trainable"},
                                                        {"train.learning_rat=1", "learning_rate"},
                                                        {"train.step=4", "steps"},
                                                        {"data.image_per_batch=4", "images_per_batch"},
                                                        {"data.sets.0.agument=photo", "augment"},
                                                        {"data.texts.0.wieght=2", "weight"},
                                                        {"losses.lable=1", "label"},
                                                        {"tokenizer.vocabularry=900", "vocabulary"},
                                                        {"data.sets.0.augment=foto", "photo"}}) {
    const Error error = load_error({override_});
    EXPECT_EQ(error.kind(), ErrorKind::usage) << override_;
    EXPECT_NE(error.message().find("did you mean \"" + near + "\""), std::string::npos) << error.message();
  }
  EXPECT_NE(load_error({"data.sets.1.wieght=2"}).message().find("try.yaml: data.sets[1]"), std::string::npos);
}

TEST_F(RecipeFile, MissingAndContradictingValuesAreNamed) {
  for (const auto& [text, named] : std::vector<std::pair<std::string, std::string>>{
           {"model: {merge: 2}\ntrain: {steps: 1}\n", "out"},
           {"out: \"\"\nmodel: {merge: 2}\ntrain: {steps: 1}\n", "out"},
           {"out: x\ntrain: {steps: 1}\n", "init"},
           {"out: x\nmodel: {merge: 2}\n", "steps"},
           {"out: x\nmodel: {merge: 2}\ntrain: {steps: 0}\n", "steps"},
           {"out: x\nmodel: {merge: 2}\ntrain: {steps: many}\n", "steps"},
           {"out: x\nmodel: {merge: 2}\ntrain: 5\n", "train"},
           {"out: x\nmodel: 5\ntrain: {steps: 1}\n", "model"},
           {"out: x\nmodel: {merge: 2}\ndata: 3\ntrain: {steps: 1}\n", "data"},
           {"out: x\nmodel: {merge: 2}\ntrainable: foo\ntrain: {steps: 1}\n", "trainable"},
           {"out: x\nmodel: {merge: 2}\ncompute: fp8\ntrain: {steps: 1}\n", "fp8"},
           {"out: x\nmodel: {merge: 2}\ndata: {sets: {path: a}}\ntrain: {steps: 1}\n", "sets"},
           {"out: x\nmodel: {merge: 2}\ndata: {sets: [{weight: 1}]}\ntrain: {steps: 1}\n", "data.sets[0]"},
           {"out: x\nmodel: {merge: 2}\ndata: {sets: [{path: a, world: b}]}\ntrain: {steps: 1}\n", "data.sets[0]"},
           {"out: x\nmodel: {merge: 2}\ndata: {sets: [{path: a, weight: 0}]}\ntrain: {steps: 1}\n", "weight"}}) {
    const Error error = load_error({}, text);
    EXPECT_EQ(error.kind(), ErrorKind::usage) << error.message();
    EXPECT_NE(error.message().find("try.yaml"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(named), std::string::npos) << error.message();
  }
  EXPECT_EQ(load_error({"no-equals-sign"}).kind(), ErrorKind::usage);
}

TEST_F(RecipeFile, NumbersOutOfRangeAreNamed) {
  for (const std::string override_ :
       {"data.validation_fraction=-0.1", "data.validation_fraction=1.5", "data.predicted_evidence=2",
        "data.find_questions=-0.5", "losses.label=-1", "losses.label_smoothing=1", "train.learning_rate=-1e-3",
        "train.final_fraction=1.1", "train.beta1=1", "train.beta2=-0.5", "train.ema_decay=1", "train.clip_norm=-1",
        "train.weight_decay=-0.1", "train.save_every=0", "train.accumulate=0", "data.questions_per_image=0",
        "seed=-1"}) {
    const Error error = load_error({override_});
    EXPECT_EQ(error.kind(), ErrorKind::usage) << override_;
    const std::string message = error.message();
    const std::string key = override_.substr(0, override_.find('=')).substr(override_.find('.') + 1);
    EXPECT_NE(message.find("\"" + key + "\""), std::string::npos) << message;
    EXPECT_NE(message.find("try.yaml"), std::string::npos) << message;
  }
}

TEST_F(RecipeFile, TheFingerprintIsOfWhatTheRunComputes) {
  const std::string original = load().fingerprint();
  EXPECT_EQ(original.size(), 16u);
  for (const char* same : {"out=other", "train.save_every=3", "train.stop_after=50", "seed=5", "train.steps=100"}) {
    EXPECT_EQ(load({same}).fingerprint(), original) << same;
  }
  for (const char* other : {"seed=6", "train.steps=101", "train.learning_rate=2.1e-3", "data.sets.1.world=blocks",
                            "losses.label=0.6", "model.decoder.dim=128", "train.accumulate=2", "compute=f32"}) {
    EXPECT_NE(load({other}).fingerprint(), original) << other;
  }
  // Order and comments do not matter.
  const std::string a = "out: x\nseed: 2\nmodel: {merge: 2, name: n}\ntrain: {steps: 1}\n";
  const std::string b = "train:\n  steps: 1  # one\nmodel: {name: n, merge: 2}\nseed: 2\nout: y\n";
  EXPECT_EQ(load({}, a).fingerprint(), load({}, b).fingerprint());
}

TEST_F(RecipeFile, WhatPublishedModelsLearn) {
  const std::string text = R"(out: x
init: base
chat_template: plain
lora: {rank: 16, alpha: 32, dropout: 0.1, rslora: true, targets: [q_proj]}
data: {conversations_per_batch: 6, max_tokens: 700}
train: {epochs: 1.5, warmup_fraction: 0.03, learning_rate: 1.0e-3, learning_rates: {"lora.*": 2.0e-3, "lora.layers.1.*": 5.0e-4}}
)";
  const Recipe recipe = load({"adapter=saved"}, text);
  ASSERT_TRUE(recipe.conversations.lora);
  const models::LoraConfig& lora = *recipe.conversations.lora;
  EXPECT_EQ(lora.rank, 16);
  EXPECT_EQ(lora.scale(), 8.0f);
  EXPECT_EQ(lora.dropout, 0.1);
  EXPECT_EQ(lora.targets, std::vector<std::string>{"q_proj"});
  EXPECT_EQ(recipe.conversations.adapter, "saved");
  EXPECT_EQ(recipe.conversations.chat_template, "plain");
  EXPECT_EQ(recipe.conversations.per_batch, 6);
  EXPECT_EQ(recipe.conversations.max_tokens, 700);
  EXPECT_EQ(recipe.epochs, 1.5);
  EXPECT_EQ(warmup_of(recipe.warmup_fraction, 101), 4);
  // The longest pattern comes first; rates are factors of the peak.
  const auto rates = relative_rates(recipe);
  ASSERT_EQ(rates.size(), 2u);
  EXPECT_EQ(rates[0].first, "lora.layers.1.*");
  EXPECT_NEAR(rates[0].second, 0.5, 1e-12);
  EXPECT_NEAR(rates[1].second, 2.0, 1e-12);
  EXPECT_TRUE(recipe.gives("data.max_tokens"));
  EXPECT_FALSE(recipe.gives("data.texts"));
  EXPECT_FALSE(load().conversations.lora);
  EXPECT_EQ(load_error({"train.steps=5"}, text).kind(), ErrorKind::usage);
  EXPECT_EQ(load_error({"train.warmup_steps=5"}, text).kind(), ErrorKind::usage);
  EXPECT_NE(load_error({"lora.rang=5"}, text).message().find("\"rank\""), std::string::npos);
  EXPECT_EQ(load_error({"train.learning_rates.x=fast"}, text).kind(), ErrorKind::usage);
}

TEST(ShippedRecipes, CanBeRead) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(SENSORIUM_SOURCE_DIR) / "recipes")) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    // Those of published models say for themselves which keys they leave to the user.
    const std::string name = entry.path().stem().string();
    const bool published = name.starts_with("llava-") || name.starts_with("imagebind-");
    const Recipe recipe = Recipe::load(entry.path(), published ? std::vector<std::string>{"out=somewhere", "init=model"}
                                                               : std::vector<std::string>{"out=somewhere"});
    EXPECT_GT(recipe.trainer.schedule.total_steps, 0) << entry.path();
    EXPECT_FALSE(recipe.name.empty());
  }
  EXPECT_GE(count, 4);
}

}  // namespace
}  // namespace sensorium::train
