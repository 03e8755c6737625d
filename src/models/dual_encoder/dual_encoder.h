// Models that compare pictures with texts: two towers whose results are vectors of one space (CLIP, Radford 2021; SigLIP, Zhai
// 2023).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "modality/image/processor.h"
#include "modality/image/vision_transformer.h"
#include "models/checkpoint/weights.h"
#include "models/embedding/embedding_model.h"

namespace sensorium::models {

struct TextTowerConfig {
  int64_t vocabulary = 0, context = 0, dim = 0, layers = 0, heads = 0, mlp_width = 0;
  kernels::Unary activation = kernels::Unary::gelu_erf;
  float norm_eps = 1e-5f;
  bool causal = true;

  // Keys that the configuration lacks stay as in `defaults`. Throws Error as read_vision_sizes.
  static TextTowerConfig from_json(const Json& json, const std::string& where, TextTowerConfig defaults);
};

// A transformer over token ids with learned absolute positions. Parameters: <name>.embedding.weight, <name>.position.weight,
// <name>.layers.<i> (nn::EncoderBlock), <name>.final_norm.
class TextTower {
 public:
  TextTower() = default;
  TextTower(nn::ParameterStore& store, const std::string& name, const TextTowerConfig& config);

  const TextTowerConfig& config() const { return config_; }
  // Token ids of several texts, packed: i32 [T] -> [T, dim] in `compute`, after the last norm. Throws Error(shape) for a text
  // longer than the context.
  Tensor operator()(const Tensor& ids_T, const ops::Sequences& texts, DType compute) const;

 private:
  TextTowerConfig config_;
  Tensor embedding_, position_;
  std::vector<nn::EncoderBlock> blocks_;
  nn::LayerNorm final_norm_;
};
// Names of its modules in the files, under "text_model.".
std::vector<NameRule> text_tower_rules();

// What the two families share; they differ in how a tower's states become one vector.
class DualEncoder : public EmbeddingModel {
 public:
  // Unit vectors f32 [pictures, dim] and [texts, dim].
  Tensor embed_images(std::span<const media::Image> images) const;
  Tensor embed_texts(std::span<const std::string> texts) const;
  // Pixels as the vision tower takes them, f32 [pictures, 3, S, S].
  Tensor prepare(std::span<const media::Image> images) const;
  // Images and texts.
  std::vector<InputSense> senses() const override;
  int64_t embedding_dim() const override { return embedding_dim_; }
  Tensor embed(std::span<const EmbedInput> inputs) const override;
  // f32 [pictures, texts]: similarity times the learned scale, plus the learned bias.
  Tensor compare(const Tensor& images, const Tensor& texts) const override;

  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  OrderedJson describe() const override;

  const modality::VisionTransformer& vision() const { return vision_; }

 protected:
  // Reads tokenizer and image processor; the families build towers and heads.
  DualEncoder(const Checkpoint& checkpoint, DType compute, std::string family,
              const modality::ImageProcessorConfig& processor_defaults);
  // pixels -> [pictures, dim], ids -> [texts, dim], not yet of unit length.
  virtual Tensor project_images(const Tensor& pixels_N3SS) const = 0;
  virtual Tensor project_texts(const Tensor& ids_T, const ops::Sequences& texts) const = 0;
  // A text as the tower reads it, cut to its context.
  virtual std::vector<int32_t> encode(const std::string& text) const = 0;
  void check_sizes() const;

  int64_t embedding_dim_ = 0;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  modality::ImageProcessorConfig processor_;
  modality::VisionTransformer vision_;
  TextTower text_;
  Tensor logit_scale_, logit_bias_;  // f32, one element; the scale is a logarithm; the bias may be undefined
};

}  // namespace sensorium::models
