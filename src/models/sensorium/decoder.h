// The native language decoder: pre-norm transformer blocks (RMSNorm, rotary positions, grouped-query attention with
// normalised queries and keys, SwiGLU), input and output embeddings tied.
#pragma once

#include <string>
#include <vector>

#include "models/sensorium/config.h"
#include "nn/modules.h"

namespace sensorium::models {

class Decoder {
 public:
  Decoder() = default;
  Decoder(nn::ParameterStore& store, const std::string& name, const DecoderConfig& config);

  const DecoderConfig& config() const { return config_; }
  // Token ids i32 [T] (-1: a row of zeros) -> [T, dim] in `dtype`.
  Tensor embed(const Tensor& ids_T, DType dtype) const;
  // Hidden states after the last norm, [T, dim]; causal inside every sequence; positions count from 0 in each.
  Tensor operator()(const Tensor& x_TC, const ops::Sequences& sequences) const;
  // The same for new tokens after those in the cache.
  Tensor cached(const Tensor& x_TC, const ops::Sequences& sequences, nn::KvCache& cache) const;
  // f32 [T, vocabulary].
  Tensor logits(const Tensor& hidden_TC) const;
  const Tensor& embedding() const { return embedding_; }

  nn::KvCacheConfig cache_config(int64_t capacity, int64_t sequences) const;
  // While on, blocks keep only their inputs for the backward pass and compute the rest again.
  void set_checkpointing(bool on) { checkpointing_ = on; }

 private:
  DecoderConfig config_;
  Tensor embedding_;
  std::vector<nn::TransformerBlock> blocks_;
  nn::RmsNorm norm_;
  bool checkpointing_ = false;
};

}  // namespace sensorium::models
