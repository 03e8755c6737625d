// The language decoder that the families share: pre-norm transformer blocks (RMSNorm, rotary positions, grouped-query
// attention, SwiGLU). A family differs in what its configuration says: sizes, biases, normalised queries and keys, tied or
// own output embedding, stretched positions.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "nn/modules.h"

namespace sensorium::models {

// The defaults are the native model's.
struct DecoderConfig {
  int64_t vocabulary = 5120;  // rows of the embedding; at least the tokenizer's size
  int64_t context = 1024;     // tokens
  int64_t dim = 384, layers = 4, heads = 6, kv_heads = 2, head_dim = 64, mlp_width = 1024;
  float rope_theta = 10000.0f;
  Tensor rope_frequencies;  // f32 [head_dim / 2], or undefined: in place of the powers of rope_theta
  float norm_eps = 1e-6f;
  bool qk_norm = true;
  nn::Bias qkv_bias = nn::Bias::none, out_bias = nn::Bias::none, mlp_bias = nn::Bias::none;
  bool tied_embeddings = true;  // logits by the input embedding; otherwise by <name>.output.weight
};

// Parameters: <name>.embedding.weight [vocabulary, dim], <name>.layers.<i> (nn::TransformerBlock), <name>.norm, and
// <name>.output.weight [vocabulary, dim] unless tied.
class Decoder {
 public:
  Decoder() = default;
  Decoder(nn::ParameterStore& store, const std::string& name, const DecoderConfig& config);

  const DecoderConfig& config() const { return config_; }
  // Token ids i32 [T] (-1: a row of zeros) -> [T, dim] in `dtype`.
  Tensor embed(const Tensor& ids_T, DType dtype) const;
  // Hidden states after the last norm, [T, dim]; causal inside every sequence; positions count from 0 in each.
  Tensor operator()(const Tensor& x_TC, const ops::Sequences& sequences) const;
  // The same for new tokens after those in the caches, one per sequence.
  Tensor cached(const Tensor& x_TC, const ops::Sequences& sequences, std::span<nn::KvCache* const> caches) const;
  // f32 [T, vocabulary].
  Tensor logits(const Tensor& hidden_TC) const;
  // The table of embed(), [vocabulary, dim]; undefined if a checkpoint has it packed.
  const Tensor& embedding() const { return embedding_.tensor; }
  // The matrix of logits(), [vocabulary, dim]; undefined if a checkpoint has it packed.
  const Tensor& output_embedding() const { return output_.weight; }
  const nn::Linear& output() const { return output_; }

  // The matrices of all blocks with their names, "<name>.layers.0.attention.qkv": for adapters.
  void for_each_linear(const std::function<void(const std::string& name, nn::Linear& linear)>& visit);

  nn::KvLayout cache_layout(DType dtype) const;
  // While on, blocks keep only their inputs for the backward pass and compute the rest again.
  void set_checkpointing(bool on) { checkpointing_ = on; }

 private:
  std::string name_;
  DecoderConfig config_;
  nn::Matrix embedding_;
  nn::Linear output_;
  std::vector<nn::TransformerBlock> blocks_;
  nn::RmsNorm norm_;
  bool checkpointing_ = false;
};

}  // namespace sensorium::models
