// Keys and values of the tokens seen so far, for step-by-step generation.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/ops.h"

namespace sensorium::nn {

struct KvCacheConfig {
  int64_t layers = 0, kv_heads = 0, head_dim = 0;
  int64_t capacity = 0;  // tokens per sequence
  int64_t sequences = 1;
  DType dtype = DType::bf16;  // f32, bf16 or f16
};

class KvCache {
 public:
  KvCache() = default;
  explicit KvCache(const KvCacheConfig& config);

  const KvCacheConfig& config() const { return config_; }
  // Tokens stored of a sequence.
  int64_t length(int64_t sequence) const { return lengths_[static_cast<size_t>(sequence)]; }
  // Appends rows (k and v [n, G * D] with row stride `row_stride` elements, dtype of activations) to a sequence of one
  // layer at its current length. Throws Error(limit) if the capacity is exceeded. advance() moves the lengths once all
  // layers have appended.
  void append(int64_t layer, int64_t sequence, const void* k, const void* v, DType dtype, int64_t row_stride,
              int64_t rows);
  void advance(int64_t sequence, int64_t rows);
  // Forgets all tokens of a sequence from `length` on (reuse of a common prefix).
  void truncate(int64_t sequence, int64_t length);

  // [capacity, G, D] of one sequence and layer.
  const void* keys(int64_t layer, int64_t sequence) const;
  const void* values(int64_t layer, int64_t sequence) const;

 private:
  KvCacheConfig config_;
  Tensor memory_;  // [layers, 2, sequences, capacity, G, D]
  std::vector<int64_t> lengths_;
};

}  // namespace sensorium::nn
