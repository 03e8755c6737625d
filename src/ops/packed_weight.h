// Weights of linear layers packed for the kernels (kernels/packed.h has the layout): values, often views on a mapped file.
#pragma once

#include <optional>
#include <string>

#include "kernels/packed.h"
#include "tensor/tensor.h"

namespace sensorium::ops {

struct PackedWeight {
  kernels::PackedLayout layout;
  Tensor bytes;  // u8, layout.bytes() of them, and those of offset_layout() where the weight has offsets

  bool defined() const { return bytes.defined(); }
  Shape shape() const { return {layout.n, layout.k}; }
  kernels::PackedWeightView view() const { return {layout, static_cast<const std::byte*>(bytes.raw())}; }
};

// w_NK (f32, bf16 or f16) rounded to `type`, whose n and k are ignored. Throws Error: shape, usage.
PackedWeight pack_weight(const Tensor& w_NK, kernels::PackedLayout type);
// A matrix of integers with scales, exactly (kernels::pack_integers).
PackedWeight pack_integers(const kernels::ReadIntegers& read, const kernels::PackedLayout& layout);
// An offset for each row and group, [N, groups along K], which is added to every value of the group: in its own layout (q8/32)
// behind the integers' bytes.
kernels::PackedLayout offset_layout(const kernels::PackedLayout& layout);
bool has_offsets(const PackedWeight& w);
// A copy of the weight with offsets (f32). Throws Error(shape).
PackedWeight with_offsets(const PackedWeight& w, const Tensor& offsets_NG);
// "q4/32", "q4/32 + offsets"
std::string name_of(const PackedWeight& w);

// A view on bytes that hold a packed matrix. Throws Error(invalid_data) if their number does not fit the layout.
PackedWeight view_packed(const Tensor& bytes, const kernels::PackedLayout& layout);

// y_TN = x_TK w_NK^T + b_N in `dtype`; x f32 or bf16. q8 and q4: activations are rounded to 8 bits, one scale per row and
// group; offsets meet the sums of the activations of each group. Gradients go to x (through the weights' values) and to the
// bias; packed weights do not train. With an activation: of y, in the same pass where nothing is recorded.
Tensor packed_linear(const Tensor& x_TK, const PackedWeight& w, const Tensor& bias_N, DType dtype,
                     std::optional<kernels::Unary> activation = {});
inline Tensor packed_linear(const Tensor& x_TK, const PackedWeight& w, const Tensor& bias_N = {}) {
  return packed_linear(x_TK, w, bias_N, x_TK.dtype());
}

// Rows of w by index (i32 [T]; -1: zeros), in `dtype` (f32 or bf16); outside autograd.
Tensor packed_rows(const PackedWeight& w, const Tensor& index_T, DType dtype);
// All of w, [N, K].
Tensor unpack(const PackedWeight& w, DType dtype);

}  // namespace sensorium::ops
