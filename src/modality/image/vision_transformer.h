// The vision transformer of published checkpoints (ViT, Dosovitskiy 2021; CLIP, Radford 2021; SigLIP, Zhai 2023): square
// pictures of one size, learned absolute positions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/modules.h"

namespace sensorium::modality {

struct VisionTransformerConfig {
  int64_t image_size = 224, patch = 32, dim = 768, layers = 12, heads = 12, mlp_width = 3072;
  kernels::Unary activation = kernels::Unary::gelu_erf;
  float norm_eps = 1e-5f;
  bool class_token = true;  // a learned token before the patches
  bool pre_norm = true;     // a norm before the first block
  bool post_norm = true;    // a norm behind the last block; states() does not need it
  nn::Bias patch_bias = nn::Bias::none;

  int64_t grid() const { return image_size / patch; }  // patches per side; pixels that fill no patch are dropped
  int64_t tokens() const { return grid() * grid() + (class_token ? 1 : 0); }
};

// Parameters: <name>.class_token [dim], <name>.patch, <name>.position.weight [tokens, dim], <name>.pre_norm,
// <name>.layers.<i> (nn::EncoderBlock), <name>.post_norm.
class VisionTransformer {
 public:
  VisionTransformer() = default;
  VisionTransformer(nn::ParameterStore& store, const std::string& name, const VisionTransformerConfig& config);

  const VisionTransformerConfig& config() const { return config_; }
  // What stands behind block i (0: what the first block reads) for each i of `wanted`, in 0..layers; blocks behind the last
  // one that is wanted do not run. pixels f32 [N, 3, S, S] (S the image size) -> [N * tokens, dim] in `compute`.
  std::vector<Tensor> states(const Tensor& pixels_N3SS, std::span<const int64_t> wanted, DType compute) const;
  // The last state after post_norm, which the tower must have.
  Tensor operator()(const Tensor& pixels_N3SS, DType compute) const;
  // The rows of each picture in a packed tensor of states.
  ops::Sequences sequences(int64_t pictures) const;
  // While on, blocks keep only their inputs for the backward pass and compute the rest again.
  void set_checkpointing(bool on) { checkpointing_ = on; }

 private:
  Tensor embed(const Tensor& pixels_N3SS, DType compute) const;

  VisionTransformerConfig config_;
  Tensor class_token_;
  nn::PatchEmbedding patch_;
  Tensor position_;
  nn::LayerNorm pre_norm_, post_norm_;
  std::vector<nn::EncoderBlock> blocks_;
  bool checkpointing_ = false;
};

}  // namespace sensorium::modality
