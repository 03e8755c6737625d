// Softmax cross-entropy, alone and fused with the vocabulary projection.
#pragma once

#include <cstdint>

#include "kernels/view.h"

namespace sensorium::kernels {

// loss[i] = log(sum exp(logits[i])) - logits[i][target[i]]; target -1: loss 0, gradient 0.
struct CrossEntropyArgs {
  int64_t rows = 0, classes = 0;
  ConstView logits;
  const int32_t* targets = nullptr;
  float label_smoothing = 0.0f;      // in [0, 1): mixes the uniform distribution into the target
  float* losses = nullptr;           // rows
  View grad;                         // rows x classes, or none (data == nullptr): row_scale[i] * d loss[i] / d logits
  const float* row_scale = nullptr;  // rows; none: 1
};
void cross_entropy(const CrossEntropyArgs& args);

// The same with logits = h_RD * w_VD^T, in blocks of rows: no rows x vocabulary matrix in memory. Gradients come in the same
// pass, already multiplied by row_scale[i].
struct LinearCrossEntropyArgs {
  int64_t rows = 0, dim = 0, vocabulary = 0;
  ConstView h;                       // rows x dim, f32 or bf16
  ConstView w;                       // vocabulary x dim, f32 or bf16
  const int32_t* targets = nullptr;  // rows; -1: ignored
  const float* row_scale = nullptr;  // rows; none: 1
  DType compute = DType::f32;        // f32 or bf16 products
  float* losses = nullptr;           // rows, not scaled
  int32_t* best = nullptr;           // rows: index of the largest logit, or none
  View grad_h;                       // rows x dim, written, or none
  float* grad_w = nullptr;           // vocabulary x dim, added to, or none
};
void linear_cross_entropy(const LinearCrossEntropyArgs& args);

}  // namespace sensorium::kernels
