// Scaled dot-product attention over packed sequences, fused: no T x T matrix in memory (FlashAttention, Dao 2022).
//
// Shapes: T query rows, S key rows, H query heads, G key/value heads (H a multiple of G: grouped-query attention),
// D head size (a multiple of 8, at most 256). Rows of all sequences stand one after another; sequence i owns query rows
// query_offsets[i]..query_offsets[i+1] and key rows key_offsets[i]..key_offsets[i+1]. Padding does not exist.
#pragma once

#include <cstdint>

#include "kernels/view.h"

namespace sensorium::kernels {

// head h of row t starts at data + t * row_stride + h * head_stride (elements)
struct HeadsView {
  const void* data = nullptr;
  DType dtype = DType::f32;
  int64_t row_stride = 0, head_stride = 0;
};

struct AttentionArgs {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  HeadsView q, k, v;  // all f32 or all bf16; k and v may be f16 or bf16 beside f32/bf16 q (KV caches)
  int64_t sequences = 0;
  const int32_t* query_offsets = nullptr;  // sequences + 1
  const int32_t* key_offsets = nullptr;    // sequences + 1
  // Causal: query i of a sequence with n queries and m >= n keys sees keys 0..i + m - n.
  bool causal = false;
  float scale = 1.0f;   // of q·k, usually 1/sqrt(D)
  void* out = nullptr;  // T x H x D with row stride out_row_stride, q's dtype
  int64_t out_row_stride = 0;
  float* log_sum_exp = nullptr;  // H x T (T = query_offsets[sequences]), or none: what backward needs
};
void attention(const AttentionArgs& args);

struct AttentionBackwardArgs {
  AttentionArgs forward;           // with out and log_sum_exp as attention() filled them
  const void* grad_out = nullptr;  // as out
  // Gradients, written (not added), q's dtype, laid out like q, k, v with their strides.
  void* grad_q = nullptr;
  void* grad_k = nullptr;
  void* grad_v = nullptr;
};
void attention_backward(const AttentionBackwardArgs& args);

}  // namespace sensorium::kernels
