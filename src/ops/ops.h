// Differentiable operations on tensors. One file per operation or family: shape rule, dispatch to the device's kernel,
// backward.
//
// Activations are f32 or bf16 (`float` below means either; all float arguments of one call agree unless said
// otherwise); parameters (weights, biases) are f32 when they train and may be bf16 when they do not. Sums are f32.
// Every function throws Error(shape) that names the operation and the shapes when the arguments do not fit, and
// Error(unsupported) when the device has no kernel.
//
// Gradients of leaves (parameters) are added straight into their f32 grad(): accumulation over several backward passes
// costs no extra pass. Where nothing requires a gradient, or under NoGrad, no node is made and no statistics are kept.
//
// Plain loops on the CPU, in the operation's own file, without an entry in the kernel table: dropout,
// standardize_filters, space_to_depth, upsample, concat_rows, concat_columns, slice_columns, l2_normalize, center_focal_loss,
// giou_loss, weighted_sum, mean, and the gradient of segment_mean.
//
// Legend: T rows (tokens of all sequences, packed), K/N input/output features, P positions of all pictures, C channels,
// H query heads, G key/value heads, D head size, V vocabulary, R rows.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "tensor/autograd.h"
#include "tensor/tensor.h"

namespace sensorium::ops {

// y_TN = x_TK w_NK^T + b_N; y has x's dtype. Products are bf16 if x is bf16. `bias` may be undefined.
Tensor linear(const Tensor& x_TK, const Tensor& w_NK, const Tensor& bias_N = {});

// LoRA (Hu 2021): y_TN with scale * (x_TK a_RK^T) b_MR^T added to its columns [column, column + M);
// a and b f32 when they train. The result lies in y's memory: y itself must not be read afterwards.
Tensor add_low_rank(const Tensor& y_TN, const Tensor& x_TK, const Tensor& a_RK, const Tensor& b_MR, int64_t column,
                    float scale);

// Same shape; or b is a row [C] for a [.., C]. y = a * scale_a + b * scale_b.
Tensor add(const Tensor& a, const Tensor& b, float scale_a = 1.0f, float scale_b = 1.0f);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor scale(const Tensor& x, float factor);
// Row r of x [R, ...] times factors[r] (f32 constants): drop-path, masks.
Tensor scale_rows(const Tensor& x_RC, const Tensor& factors_R);
Tensor unary(kernels::Unary function, const Tensor& x);
Tensor gelu(const Tensor& x);  // exact (erf)
Tensor gelu_tanh(const Tensor& x);
Tensor silu(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor sigmoid(const Tensor& x);
// x_T(2F), gate first -> silu(gate) * up, [T, F].
Tensor swiglu(const Tensor& x_T2F);
// Inverted dropout: zero with probability p, else times 1/(1-p).
Tensor dropout(const Tensor& x, float p, Rng& rng);
Tensor cast(const Tensor& x, DType dtype);

Tensor rms_norm(const Tensor& x_TC, const Tensor& weight_C, float eps = 1e-6f);
Tensor layer_norm(const Tensor& x_TC, const Tensor& weight_C, const Tensor& bias_C, float eps = 1e-6f);

// The pictures of a packed list: the rows of a [P, C] tensor hold the positions of picture 0 row by row, then picture
// 1's.
struct Pictures {
  std::vector<int32_t> heights, widths;
  size_t count() const { return heights.size(); }
  std::vector<int64_t> offsets() const;  // count + 1 row offsets
  int64_t positions() const;             // P
};
// GroupNorm with statistics over one picture and one group, and an activation in the same pass.
Tensor group_norm(const Tensor& x_PC, const Pictures& pictures, const Tensor& weight_C, const Tensor& bias_C,
                  int64_t groups, kernels::NormActivation activation = kernels::NormActivation::none,
                  float eps = 1e-5f);
// weight [N, kernel, kernel, C / groups] -> y [P', N]; `output` receives the pictures' new sizes.
struct ConvOptions {
  int64_t stride = 1, padding = 0, groups = 1;
};
Tensor conv2d(const Tensor& x_PC, const Pictures& pictures, const Tensor& weight_NKKC, const Tensor& bias_N,
              const ConvOptions& options, Pictures& output);
// Weight standardisation (Qiao 2019): each output filter to mean 0, variance 1, times gain_N (f32) / sqrt(fan-in).
Tensor standardize_filters(const Tensor& weight_NKKC, const Tensor& gain_N, float eps = 1e-6f);
// [P, C] -> [P/f^2, f^2 C]: f x f neighbours side by side (row-major inside the block); sides are padded with zeros to
// a multiple of f.
Tensor space_to_depth(const Tensor& x_PC, const Pictures& pictures, int64_t factor, Pictures& output);
// Nearest-neighbour enlargement by an integer factor, cut to the sizes of `target` (which must fit).
Tensor upsample(const Tensor& x_PC, const Pictures& pictures, int64_t factor, const Pictures& target);
// Mean over the rows offsets[i]..offsets[i+1] -> [segments, C].
Tensor segment_mean(const Tensor& x_TC, std::span<const int64_t> offsets);

// Sequences in packed rows: offsets of sequence i are [i]..[i+1].
struct Sequences {
  std::vector<int32_t> offsets;
  size_t count() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};
// Query/key normalisation (weights may be undefined: none) and rotary positions (undefined: none; i32 [T] or [T, 2]) on
// a fused projection [T, (H + 2G) D]; see kernels/rope.h. `frequencies` (f32 [D/2]; only with positions [T]), if
// defined, stand in place of theta.
Tensor head_norm_rope(const Tensor& qkv, int64_t heads, int64_t kv_heads, const Tensor& q_weight_D,
                      const Tensor& k_weight_D, const Tensor& positions, float theta, float eps = 1e-6f,
                      const Tensor& frequencies = {});
// Self-attention inside every sequence from a fused [T, (H + 2G) D] -> [T, H D]; scale 1/sqrt(D).
Tensor self_attention(const Tensor& qkv, int64_t heads, int64_t kv_heads, const Sequences& sequences, bool causal);
// General form: q [T, H D], k and v [S, G D].
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, int64_t kv_heads,
                 const Sequences& queries, const Sequences& keys, bool causal);

// Rows of a table by index (-1: zeros); i32 index. `dtype` of the result: the table's, or given (embeddings in bf16).
Tensor gather_rows(const Tensor& table_RC, const Tensor& index_T, std::optional<DType> dtype = std::nullopt);
Tensor concat_rows(const std::vector<Tensor>& parts);
// [T, C_i] each -> [T, sum of C_i]: the same row of all parts side by side.
Tensor concat_columns(const std::vector<Tensor>& parts);
// Columns [begin, end) of a [T, C] tensor, copied.
Tensor slice_columns(const Tensor& x_TC, int64_t begin, int64_t end);
// Rows to unit Euclidean length.
Tensor l2_normalize(const Tensor& x_TC, float eps = 1e-6f);

// Losses: f32 scalars [1]. Rows with target -1 are left out. `weights` (f32 [T]) multiply each row's loss; the sum is
// divided by `normalizer` (0: the sum of the weights of the rows that count).
Tensor cross_entropy(const Tensor& logits_TV, const Tensor& targets_T, const Tensor& weights_T = {},
                     double normalizer = 0, float label_smoothing = 0.0f);
// Cross-entropy of h w^T without the T x V matrix. The gradients are computed in the forward pass, while the logits are
// at hand, and wait for the gradient of the loss in a tensor of h's and one of w's shape (f32); the backward pass hands
// the latter to a leaf without a copy if it is the leaf's first gradient. `row_losses`, if given, receives [T] f32 and
// `best` [T] i32 (argmax).
Tensor linear_cross_entropy(const Tensor& h_TK, const Tensor& w_VK, const Tensor& targets_T,
                            const Tensor& weights_T = {}, double normalizer = 0, Tensor* row_losses = nullptr,
                            Tensor* best = nullptr);
// Penalty-reduced focal loss of CenterNet (Zhou 2019) on logits [P, Q]: target 1 at centres, a Gaussian below 1 around
// them; -1 leaves a cell out. Divided by `normalizer`.
Tensor center_focal_loss(const Tensor& logits, const Tensor& target, double normalizer);
// Box regression: for the given rows, predicted distances (left, top, right, bottom; positive) against true ones:
// generalised IoU loss (Rezatofighi 2019) times weight, sum divided by `normalizer`. Both f32 or bf16 [R, 4]; target
// f32.
Tensor giou_loss(const Tensor& distances_R4, const Tensor& target_R4, const Tensor& weights_R, double normalizer);
// Sum of scalars [1] with factors.
Tensor weighted_sum(const std::vector<Tensor>& scalars, const std::vector<float>& factors);
Tensor mean(const Tensor& x);  // f32 [1]

}  // namespace sensorium::ops
