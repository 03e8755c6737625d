// Rotary positions (Su 2021), in the half-split layout of Llama: the pair of channel c is c + D/2.
#pragma once

#include <cstdint>

#include "kernels/view.h"

namespace sensorium::kernels {

// With `axes` = 1, channel pair c of D/2 turns by position * theta^(-2c/D). With `axes` = 2 (pictures: row, column) the
// first half of the pairs turns by the first position and the second half by the second, each with D/2 in place of D.
// `frequencies`, if given (one axis only), stand in place of the powers of theta: position encodings that were stretched
// to longer texts.
struct RopeTable {
  const int32_t* positions = nullptr;  // rows x axes
  int axes = 1;
  float theta = 10000.0f;
  const float* frequencies = nullptr;  // D / 2
};

// In place, on `heads` heads of every row.
struct RopeArgs {
  int64_t rows = 0, heads = 0, head_dim = 0;
  View x;  // head h of row t at t * row_stride + h * head_dim
  int64_t row_stride = 0;
  RopeTable table;
  bool inverse = false;  // turns back: the gradient
};
void rope(const RopeArgs& args);

// From a fused projection qkv [rows, (H + 2G) * D] (H query heads, G key heads, G value heads): RMS-normalises every
// query and key head over its D channels (weights q_weight, k_weight [D]; none: no normalisation), turns them by their
// position (table.positions none: no rotation), copies the values; y has qkv's shape and dtype and may not alias it.
struct HeadNormRopeArgs {
  int64_t rows = 0, heads = 0, kv_heads = 0, head_dim = 0;
  ConstView qkv;
  const float* q_weight = nullptr;
  const float* k_weight = nullptr;
  float eps = 1e-6f;
  RopeTable table;
  View y;
  float* inverse_rms = nullptr;  // rows x (H + G), kept for backward, or none
};
void head_norm_rope(const HeadNormRopeArgs& args);

struct HeadNormRopeBackwardArgs {
  HeadNormRopeArgs forward;
  ConstView grad_y;
  View grad_qkv;                   // written
  float* grad_q_weight = nullptr;  // [D], added to
  float* grad_k_weight = nullptr;  // [D], added to
};
void head_norm_rope_backward(const HeadNormRopeBackwardArgs& args);

}  // namespace sensorium::kernels
