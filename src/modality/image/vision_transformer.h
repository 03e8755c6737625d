// The vision transformer of published checkpoints (ViT, Dosovitskiy 2021; CLIP, Radford 2021; SigLIP, Zhai 2023): square
// pictures of one size, learned absolute positions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "modality/patch_transformer.h"

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

// A PatchTransformer over the patches of pictures, with its parameters; the stem's weight is [dim, 3, patch, patch].
class VisionTransformer {
 public:
  VisionTransformer() = default;
  VisionTransformer(nn::ParameterStore& store, const std::string& name, const VisionTransformerConfig& config);

  const VisionTransformerConfig& config() const { return config_; }
  // As those of PatchTransformer: pixels f32 [N, 3, S, S] (S the image size) -> [N * tokens, dim] in `compute`.
  std::vector<Tensor> states(const Tensor& pixels_N3SS, std::span<const int64_t> wanted, DType compute) const;
  Tensor operator()(const Tensor& pixels_N3SS, DType compute) const;
  // [N, dim].
  Tensor class_states(const Tensor& pixels_N3SS, DType compute) const;
  ops::Sequences sequences(int64_t pictures) const { return tower_.sequences(pictures); }
  // See PatchTransformer.
  void set_checkpointing(bool on) { tower_.set_checkpointing(on); }

 private:
  Tensor cut(const Tensor& pixels_N3SS, DType compute) const;

  VisionTransformerConfig config_;
  PatchTransformer tower_;
};

}  // namespace sensorium::modality
