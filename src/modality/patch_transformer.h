// A transformer over patches with learned absolute positions: what the encoders of published checkpoints have in common,
// whatever their patches are cut out of (ViT, Dosovitskiy 2021; AST, Gong 2021; ImageBind, Girdhar 2023).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/modules.h"

namespace sensorium::modality {

struct PatchTransformerConfig {
  Shape stem;           // of the stem's weight: [dim, ...]; what follows dim is one patch
  int64_t patches = 0;  // of one input
  int64_t layers = 12, heads = 12, mlp_width = 3072;
  kernels::Unary activation = kernels::Unary::gelu_erf;
  float norm_eps = 1e-5f;
  bool class_token = true;  // a learned token before the patches
  bool stem_norm = false;   // a norm (eps 1e-5) over each embedded patch
  bool pre_norm = true;     // a norm before the first block
  bool post_norm = true;    // a norm behind the last block; states() does not need it
  bool extra_key = false;   // see nn::AttentionConfig
  nn::Bias patch_bias = nn::Bias::none;

  int64_t dim() const { return stem[0]; }
  int64_t patch_values() const { return stem.elements() / stem[0]; }
  int64_t tokens() const { return patches + (class_token ? 1 : 0); }
};

// Stochastic depth (Huang 2016): while a tower trains, an input leaves out a branch of a block with a probability that grows from 0 in
// the first block to `rate` in the last, and otherwise has it 1 / (1 - probability) times. What is left out follows from the seed and
// the input's place in its batch, whatever pieces the batch is cut into.
struct DropPath {
  double rate = 0;
  uint64_t seed = 0;
  int64_t first_input = 0;  // the place in the batch of the first input that comes next
};
// Of block `layer` of `layers`; undefined where nothing can be left out.
nn::BranchFactors drop_path_factors(const DropPath& drop, int64_t layer, int64_t layers, int64_t inputs,
                                    int64_t tokens);

// Parameters: <name>.class_token [dim], <name>.patch, <name>.stem_norm, <name>.position.weight [tokens, dim], <name>.pre_norm,
// <name>.layers.<i> (nn::EncoderBlock), <name>.post_norm.
class PatchTransformer {
 public:
  PatchTransformer() = default;
  PatchTransformer(nn::ParameterStore& store, const std::string& name, const PatchTransformerConfig& config);

  const PatchTransformerConfig& config() const { return config_; }
  // What stands behind block i (0: what the first block reads) for each i of `wanted`, in 0..layers; blocks behind the last
  // one that is wanted do not run. patches f32 or bf16 [N * patches, values], whose dtype the results have -> [N * tokens, dim].
  std::vector<Tensor> states(const Tensor& patches_PK, std::span<const int64_t> wanted) const;
  // The last state after post_norm, which the tower must have.
  Tensor operator()(const Tensor& patches_PK) const;
  // The class token's row of it alone, [N, dim]; of the last block nothing else is computed.
  Tensor class_states(const Tensor& patches_PK) const;
  // The rows of each input in a packed tensor of states.
  ops::Sequences sequences(int64_t inputs) const;
  // The blocks' matrices by name ("layers.0.attention.qkv", "layers.0.attention.out", "layers.0.mlp.fc1", "layers.0.mlp.fc2"):
  // for low-rank changes.
  void for_each_linear(const std::function<void(const std::string& name, nn::Linear& linear)>& visit);
  // While on, blocks keep only their inputs for the backward pass and compute the rest again.
  void set_checkpointing(bool on) { checkpointing_ = on; }
  // Read at every pass; none: all branches stay.
  void set_drop_path(std::shared_ptr<const DropPath> drop) { drop_path_ = std::move(drop); }

 private:
  enum class Rows : uint8_t { all, class_token };
  Tensor run_block(int64_t layer, const Tensor& x_TC, Rows rows) const;
  Tensor embed(const Tensor& patches_PK) const;
  int64_t inputs_of(const Tensor& patches_PK) const;

  PatchTransformerConfig config_;
  Tensor class_token_;
  nn::PatchEmbedding patch_;
  Tensor position_;
  nn::LayerNorm stem_norm_, pre_norm_, post_norm_;
  std::vector<nn::EncoderBlock> blocks_;
  bool checkpointing_ = false;
  std::shared_ptr<const DropPath> drop_path_;
};

}  // namespace sensorium::modality
