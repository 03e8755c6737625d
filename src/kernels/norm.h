// Normalisations. Statistics are f32; weights and their gradients are f32.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/view.h"

namespace sensorium::kernels {

// RMSNorm (Zhang and Sennrich 2019): y = x / sqrt(mean(x^2) + eps) * weight.
// LayerNorm (Ba 2016): y = (x - mean) / sqrt(var + eps) * weight + bias.
struct RowNormArgs {
  int64_t rows = 0, cols = 0;
  ConstView x;                    // rows x cols
  const float* weight = nullptr;  // cols
  const float* bias = nullptr;    // cols; LayerNorm only, or none
  float eps = 1e-6f;
  View y;                        // rows x cols, x's dtype
  float* mean = nullptr;         // rows; LayerNorm only, kept for backward, or none
  float* inverse_std = nullptr;  // rows; kept for backward, or none
};
void rms_norm(const RowNormArgs& args);
void layer_norm(const RowNormArgs& args);

struct RowNormBackwardArgs {
  RowNormArgs forward;  // with mean and inverse_std filled; y is not read
  ConstView grad_y;
  View grad_x;                   // written
  float* grad_weight = nullptr;  // cols, added to
  float* grad_bias = nullptr;    // cols, added to, or none
};
void rms_norm_backward(const RowNormBackwardArgs& args);
void layer_norm_backward(const RowNormBackwardArgs& args);

// GroupNorm (Wu and He 2018) over packed pictures: the rows of picture i are offsets[i]..offsets[i+1]; statistics are over
// the positions of one picture and the channels of one group. An activation may follow in the same pass.
enum class NormActivation : uint8_t { none, relu, silu };
struct GroupNormArgs {
  std::span<const int64_t> offsets;  // pictures + 1
  int64_t channels = 0, groups = 1;
  ConstView x;                    // rows x channels
  const float* weight = nullptr;  // channels
  const float* bias = nullptr;    // channels
  float eps = 1e-5f;
  NormActivation activation = NormActivation::none;
  View y;
  float* mean = nullptr;         // pictures x groups
  float* inverse_std = nullptr;  // pictures x groups
};
void group_norm(const GroupNormArgs& args);

struct GroupNormBackwardArgs {
  GroupNormArgs forward;  // the activation's input is recomputed from x
  ConstView grad_y;
  View grad_x;                   // written
  float* grad_weight = nullptr;  // channels, added to
  float* grad_bias = nullptr;    // channels, added to
};
void group_norm_backward(const GroupNormBackwardArgs& args);

}  // namespace sensorium::kernels
