// Contrastive learning: the loss over pairs of vectors, and batches larger than what memory holds graphs of. As the operations of
// ops.h; plain loops on the CPU but for the products.
// Legend: N pairs, C numbers of a vector.
#pragma once

#include <functional>

#include "ops/ops.h"

namespace sensorium::ops {

inline constexpr float kMostLogScale = 4.6051702f;  // log 100

// Symmetric InfoNCE (van den Oord 2018; as in CLIP, Radford 2021): row i of a and row i of b, f32 [N, C] of unit length, are a pair;
// each is to find the other among all N by the softmax of exp(log_scale) times the products. -> f32 [1], the mean of both
// directions' cross-entropies. `log_scale` f32 [1] is the logarithm of 1 / temperature; above kMostLogScale it counts as that.
// `groups` (i32 [N]; undefined: each pair its own): pairs of one number are each other's partners, all alike, and none of them is a
// contrast to another (Khosla 2020). Throws Error(shape).
Tensor info_nce(const Tensor& a_NC, const Tensor& b_NC, const Tensor& log_scale, const Tensor& groups_N = {});

// Gradient caching (Gao 2021): f32 [rows, C] of `embed`, which is called for `piece` rows at a time without a graph, and again in
// the backward pass with what the loss says of them: the memory is that of one piece, the result that of all at once. `embed` must
// give the same for the same rows, and use no tensor that requires gradients but leaves. Throws Error(shape).
Tensor in_pieces(int64_t rows, int64_t piece, const std::function<Tensor(int64_t begin, int64_t end)>& embed);

}  // namespace sensorium::ops
