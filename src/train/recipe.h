// A training run as a file: recipes/<name>.yaml with key=value overrides from the command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/sensorium/config.h"
#include "models/sensorium/training.h"
#include "train/trainer.h"

namespace sensorium::train {

// One data set of the mixture.
struct SetRecipe {
  std::string path;                  // a file or folder that the readers know; or
  std::string world;                 // a kind of scene of the synthetic world
  double weight = 1;                 // of the set in the mixture
  std::string augment = "none";      // see augment.h
  std::vector<std::string> objects;  // kinds of objects that are marked in this set (none: no boxes)
  bool boxed_objects = false;        // all kinds that have boxes in it, in place of `objects`
  std::string scene;                 // label of every picture that has no class of its own
  int64_t statements = 0;            // see data::WorldOptions
  std::string label_question;        // the answer to this one of its questions is the label, in place of the class
  double cutmix = 0;                 // share of its labelled pictures that get a part of another one, see cutmix.h
};

// In which order a set's records come: each draw for itself, or all of them before any comes again.
enum class DataOrder : uint8_t { replacement, shuffled };

struct Recipe {
  std::filesystem::path out;
  uint64_t seed = 1;
  // The model: a folder to go on from, or the sizes of a new one.
  std::string init;
  // config.json without vocabulary, labels and objects, which come from the data; beside `init`: changes to its config.json
  // (name the tensors whose shapes change in `reset`).
  Json model;
  int64_t vocabulary = 4096;                 // of a new tokenizer, control tokens left out
  std::vector<std::string> tokenizer_texts;  // further data sets that a new tokenizer learns from
  std::vector<std::string> reset;            // patterns of parameters that start anew although `init` has them

  std::filesystem::path data_root;
  std::vector<SetRecipe> sets;      // data.train=FILE is one set in place of those of the file
  std::vector<SetRecipe> texts;     // sets without pictures, for the decoder
  std::vector<SetRecipe> readings;  // sets with pictures of which the decoder sees the evidence alone
  DataOrder order = DataOrder::replacement;
  double validation_fraction = 0;  // of every train file, kept out of training
  int64_t images_per_batch = 32, readings_per_batch = 0, texts_per_batch = 0, text_tokens = 256;
  int64_t questions_per_image = 3;
  double predicted_evidence = 0.5;  // share of pictures whose evidence comes from the heads, not from the truth
  double find_questions = 0.2;      // share of pictures with known objects that are asked for the boxes of a kind
  int64_t cache_megabytes = 2048;   // decoded pictures kept in memory

  std::vector<std::string> trainable = {"*"};
  models::LossWeights losses;
  DType compute = DType::bf16;
  bool activation_checkpointing = false;
  TrainerOptions trainer;
  std::string name = "sensorium", licence, trained_on;

  // Reads a recipe. Relative paths in it start at the file's folder, sets and texts at `data.root`, `out` at the working
  // directory; those in `overrides` ("data.train=my.jsonl", "out=runs/a") all at the working directory. Throws Error: usage that
  // names the key and suggests the near one, not_found.
  static Recipe load(const std::filesystem::path& file, const std::vector<std::string>& overrides);
  // What must be the same for a run to be resumed.
  std::string fingerprint() const;

 private:
  Json canonical_;
};

}  // namespace sensorium::train
