// A training run as a file: recipes/<name>.yaml with key=value overrides from the command line.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "models/adapter/lora.h"
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
  int64_t limit = 0;                 // of its first records, for the joint space; 0: all
  std::map<std::string, std::string> names;  // what the joint space calls a class: {"dog bark": "dog"}
  double cutmix = 0;  // share of its labelled pictures that get a part of another one, see cutmix.h
};

// In which order a set's records come: each draw for itself, or all of them before any comes again.
enum class DataOrder : uint8_t { replacement, shuffled };

// What a published model learns from conversations beside the keys that all recipes share.
struct ConversationRecipe {
  int64_t per_batch = 4;                   // conversations
  int64_t max_tokens = 0;                  // of one, what is longer is cut; 0: the model's context
  std::string chat_template;               // name or file; "": the checkpoint's own
  std::optional<models::LoraConfig> lora;  // trains an adapter
  std::string adapter;                     // a saved one to go on from
};

// A sense that is bound to the joint space of a published model, whose other towers are frozen.
struct BindRecipe {
  std::string sense;                  // whose tower learns
  std::string anchor = "text";        // what it learns from: "text" (captions, or the class) or "image"
  std::optional<double> temperature;  // none: as published for the sense
  bool learn_temperature = false;     // from there on
  std::optional<double> drop_path;    // none: as published for the sense; with LoRA 0
};

// The joint space of the native model, on frozen encoders.
struct JointRecipe {
  Json sizes;         // of config.json's "joint"
  int64_t views = 4;  // of every picture and recording: the first as it is, the others changed by the set's "augment"
  double dropout = 0.1;  // of what the encoders say
};

// What masked modelling hides.
struct MaskingRecipe {
  double text = 0.3, span = 3;  // share of a text's tokens, and how many stand together
  double patches = 0.5;         // share of a picture's or recording's patches
};

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
  double sense_dropout = 0;         // probability of each sense of a record that is perceived by several
  int64_t cache_megabytes = 2048;   // decoded pictures kept in memory

  std::vector<std::string> trainable = {"*"};
  models::LossWeights losses;
  MaskingRecipe masking;
  ConversationRecipe conversations;
  std::optional<BindRecipe> bind;
  std::optional<JointRecipe> joint;
  // Contrastive learning: pairs that are each other's contrasts, and how many of them keep their graph at once (0: all).
  int64_t pairs_per_batch = 256, pairs_per_piece = 0;
  double epochs = 0;           // rounds through the data, in place of trainer.schedule.total_steps; 0: those
  double warmup_fraction = 0;  // of all steps, in place of trainer.schedule.warmup_steps; 0: those
  std::vector<std::pair<std::string, double>>
      learning_rates;  // of parameters that match a pattern, in place of the peak
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
  // Whether file or overrides give a value at a dotted place ("data.texts").
  bool gives(const std::string& key) const;

 private:
  Json canonical_;
};

// The first steps of a run, by their share.
int64_t warmup_of(double fraction, int64_t steps);
// Recipe::learning_rates as factors of the peak. Throws Error(usage) for a peak of 0.
std::vector<std::pair<std::string, double>> relative_rates(const Recipe& recipe);

}  // namespace sensorium::train
