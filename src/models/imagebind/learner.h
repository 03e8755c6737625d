// What training needs of ImageBind to bind a sense: one tower learns to say of an input what the frozen towers say of the picture or
// the text that belongs to it (Girdhar 2023). All of the tower trains, or low-rank changes of its blocks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/adapter/lora.h"
#include "models/checkpoint/checkpoint.h"
#include "models/imagebind/imagebind.h"

namespace sensorium::models {

// What the authors published for a sense: learning rate and decay of AdamW, the fixed temperature, batch, rounds through the data
// and how many of these warm up (paper, appendix B, table 9), and drop path (their code).
struct PublishedBinding {
  InputSense sense;
  double temperature, learning_rate, weight_decay, drop_path;
  int64_t batch, epochs, warmup_epochs;
};
// Throws Error(usage) for a sense that is not bound: the towers of pictures and texts are the hub.
const PublishedBinding& published_binding(const std::string& sense);

struct BindOptions {
  InputSense sense = InputSense::audio;
  DType compute = DType::bf16;
  std::vector<std::string> trainable;  // patterns of the tower's parameters
  std::optional<LoraConfig> lora;      // targets: qkv, out, fc1, fc2
  double temperature = 0.05;
  bool learn_temperature = false;
  double drop_path = 0;  // see modality::DropPath
  bool checkpointing = false;
  uint64_t seed = 1;
};

class ImagebindLearner {
 public:
  // Throws Error: as load_model(); unsupported for another family, a model without the tower, or a quantised one; usage for patterns
  // and targets that match nothing.
  ImagebindLearner(const std::filesystem::path& path, const BindOptions& options);

  // Parameters that require gradients train: "audio.*" but the temperature, "lora.audio.*".
  nn::ParameterStore& store() { return model_->mutable_store(); }
  const Imagebind& model() const { return *model_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }

  // [clips, channels, height, width] of an input of the sense; may run beside embed() on another thread.
  Tensor prepare(const EmbedInput& input) const;
  // One clip of each of N inputs, which stand in their batch from place `first` on -> f32 [N, dim] of unit length, with its graph.
  Tensor embed(const Tensor& prepared_NCHW, int64_t first = 0) const;
  // The logarithm of 1 / temperature, f32 [1].
  Tensor log_scale() const;
  // What LoRA and drop path leave out from now on is another function of the position.
  void draw_dropout(uint64_t seed) const { dropout_->seed = drop_path_->seed = seed; }

  // The whole model with what was learned in it, changes merged, in Hugging Face's layout: a folder that every verb takes.
  void save(const std::filesystem::path& folder) const;

 private:
  struct Change {
    std::string matrix;  // "audio.layers.0.attention.qkv.weight"
    Tensor a_RK, b_MR;
  };
  void add_lora(const LoraConfig& config);

  BindOptions options_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Imagebind> model_;
  CheckpointWeights names_;
  std::string prefix_;  // of the tower's parameters
  std::vector<Change> changes_;
  std::shared_ptr<nn::SharedDropout> dropout_ = std::make_shared<nn::SharedDropout>();
  std::shared_ptr<modality::DropPath> drop_path_ = std::make_shared<modality::DropPath>();
};

}  // namespace sensorium::models
