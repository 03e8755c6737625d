// The language decoder that the families share: pre-norm transformer blocks (RMSNorm, rotary positions, grouped-query
// attention, SwiGLU). A family differs in what its configuration says: sizes, biases, normalised queries and keys, tied or
// own output embedding, stretched positions.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/decoder/cross_layer.h"
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
  int64_t cross_every = 0;      // a cross-attention layer before every so many blocks; 0: none
};

// Media beside packed sequences, for decoders with cross-attention layers.
struct CrossMedia {
  Tensor rows_SC = {};                              // [S, dim]; undefined: there are none
  std::vector<std::vector<MediumSpan>> spans = {};  // of each sequence
};
// The media of one sequence as the layers read them: made once, used for every part of the prompt and every token of the answer.
struct CrossContext {
  std::vector<nn::CrossAttention::Source> layers;
  std::vector<MediumSpan> spans;
};

// Parameters: <name>.embedding.weight [vocabulary, dim], <name>.layers.<i> (nn::TransformerBlock), <name>.norm, and
// <name>.output.weight [vocabulary, dim] unless tied; <name>.cross.<i> (CrossLayer) in front of block i.
class Decoder {
 public:
  Decoder() = default;
  Decoder(nn::ParameterStore& store, const std::string& name, const DecoderConfig& config);

  const DecoderConfig& config() const { return config_; }
  // Token ids i32 [T] (-1: a row of zeros) -> [T, dim] in `dtype`.
  Tensor embed(const Tensor& ids_T, DType dtype) const;
  // Hidden states after the last norm, [T, dim]; causal inside every sequence; positions count from 0 in each.
  Tensor operator()(const Tensor& x_TC, const ops::Sequences& sequences, const CrossMedia& media = {}) const;
  // The same for new tokens after those in the caches, one per sequence. `contexts`: of each sequence (null: it has no media);
  // empty: of none.
  Tensor cached(const Tensor& x_TC, const ops::Sequences& sequences, std::span<nn::KvCache* const> caches,
                std::span<const CrossContext* const> contexts = {}) const;
  // Outside autograd. media [S, dim].
  CrossContext read_media(const Tensor& media_SC, std::vector<MediumSpan> spans) const;
  // f32 [T, vocabulary].
  Tensor logits(const Tensor& hidden_TC) const;
  // The table of embed(), [vocabulary, dim]; undefined if a checkpoint has it packed.
  const Tensor& embedding() const { return embedding_.tensor; }
  // The matrix of logits(), [vocabulary, dim]; undefined if it is packed.
  const Tensor& output_embedding() const { return output_.weight; }
  const nn::Linear& output() const { return output_; }

  // The matrices of all blocks with their names, "<name>.layers.0.attention.qkv": for adapters.
  void for_each_linear(const std::function<void(const std::string& name, nn::Linear& linear)>& visit);

  // Brings the matrices of the blocks and of logits() into the kernels' order (nn::Linear::pack): for use in bf16, not for training.
  void pack();

  nn::KvLayout cache_layout(DType dtype) const;
  // While on, blocks keep only their inputs for the backward pass and compute the rest again.
  void set_checkpointing(bool on) { checkpointing_ = on; }

 private:
  // The layer in front of block i, or null.
  const CrossLayer* cross_before(size_t block) const;
  std::string name_;
  DecoderConfig config_;
  nn::Matrix embedding_;
  nn::Linear output_;
  std::vector<nn::TransformerBlock> blocks_;
  std::vector<CrossLayer> cross_;  // in front of block 0, cross_every, 2 cross_every, ...
  nn::RmsNorm norm_;
  bool checkpointing_ = false;
};

}  // namespace sensorium::models
