// Scaled dot-product attention over packed sequences, fused: no T x T matrix in memory (FlashAttention, Dao 2022).
//
// Shapes: T query rows, S key rows, H query heads, G key/value heads (H a multiple of G: grouped-query attention),
// D head size (a multiple of 8, at most 256). Rows of all sequences stand one after another; sequence i owns query rows
// query_offsets[i]..query_offsets[i+1] and key rows key_offsets[i]..key_offsets[i+1]. Padding does not exist.
#pragma once

#include <cstdint>

#include "kernels/view.h"

namespace sensorium::kernels {

// A call whose sequences all have at most so many queries (a step of decoding) reads keys and values where they lie, once; with
// more queries it packs them first. The two add up in different orders: a caller that wants the same bits for a sequence in
// whatever company keeps the two kinds apart.
constexpr int64_t kFewQueries = 4;

// Head h of row t starts at data + t * row_stride + h * head_stride (elements).
//
// The keys and values of a cache may lie in pages instead (KvPages): row s of sequence i is row s % page_rows of the page
// pages[first_page[i] + s / page_rows], whose head h begins `offset` bytes from its start, with rows and heads as above.
struct KvPages {
  const void* const* pages = nullptr;   // or none: the rows are at `data`
  const int32_t* first_page = nullptr;  // sequences
  int64_t page_rows = 0;                // a power of two, at least 64
  int64_t offset = 0;                   // bytes
  // i8: an element stands for itself times the scale of its head and row; f32 [kv_heads, page_rows] so many bytes from the
  // page's start.
  int64_t scale_offset = 0;
};
struct HeadsView {
  const void* data = nullptr;
  DType dtype = DType::f32;
  int64_t row_stride = 0, head_stride = 0;
  KvPages in = {};  // keys and values only
};

struct AttentionArgs {
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  // All f32 or all bf16; k and v may be f16 or bf16 beside f32/bf16 q (KV caches), i8 in pages.
  HeadsView q, k, v;
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
void attention_backward(const AttentionBackwardArgs& args);  // not in pages

}  // namespace sensorium::kernels
