// ImageBind (Girdhar 2023): pictures and films, texts, sounds, depth, thermal pictures and motion in one space. The reference is
// the code of its authors; docs/embedding.md says where it is silent.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/embedding/embedding_model.h"
#include "models/imagebind/config.h"
#include "models/imagebind/prepare.h"

namespace sensorium::models {

class Imagebind : public EmbeddingModel {
 public:
  Imagebind(const Checkpoint& checkpoint, DType compute);

  std::vector<InputSense> senses() const override;
  int64_t embedding_dim() const override { return config_.dim; }
  // As the reference gives them: of unit length times the temperature of the sense (vision: 1), the mean over an input's clips.
  Tensor embed(std::span<const EmbedInput> inputs) const override;
  // Products of the vectors, which hold the temperatures already.
  Tensor compare(const Tensor& items, const Tensor& others) const override;

  // Prepared inputs (see ImagebindTower::input) f32 [N, channels, height, width] of image, audio, depth, thermal or imu, `clips`
  // neighbours of which make one vector -> f32 [N / clips, dim]. Throws Error: unsupported, shape.
  Tensor encode(InputSense sense, const Tensor& prepared_NCHW, int64_t clips = 1) const;
  // Token ids of several texts, each up to its end token -> f32 [N, dim].
  Tensor encode_texts(std::span<const std::vector<int32_t>> texts) const;
  // The ids up to the end token: what follows it in the reference's 77 is zeros, which no token before them sees.
  std::vector<int32_t> write_tokens(const EmbedInput& input) const;

  // Throws Error(not_found) if the checkpoint came without one.
  const text::Tokenizer& tokenizer() const override;
  OrderedJson describe() const override;
  const ImagebindConfig& config() const { return config_; }

  // For training. Throws Error(unsupported) for a sense without a tower of patches.
  nn::ParameterStore& mutable_store() { return store_; }
  modality::PatchTransformer& transformer(InputSense sense);
  // Says where a checkpoint's files have what.
  static void map_names(CheckpointWeights& weights);

 private:
  struct Tower {
    modality::PatchTransformer transformer;
    nn::Linear projection;
    Tensor scale;  // the logarithm, f32 []; undefined for vision
  };
  // Unit vectors times the temperature.
  Tensor finish(const Tensor& projected_NC, const Tensor& scale) const;

  ImagebindConfig config_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::string no_tokenizer_;  // why there is none
  std::map<InputSense, Tower> towers_;
  TextTower text_;
  nn::Linear text_projection_;
  Tensor text_scale_;
};

std::unique_ptr<Model> load_imagebind(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
