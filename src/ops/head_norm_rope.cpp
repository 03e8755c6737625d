// Legend: T rows, H query heads, G key heads, D head size.
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {

using namespace detail;
using kernels::HeadNormRopeArgs;
using kernels::KernelTable;

Tensor head_norm_rope(const Tensor& qkv, int64_t heads, int64_t kv_heads, const Tensor& q_weight_D,
                      const Tensor& k_weight_D, const Tensor& positions, float theta, float eps,
                      const Tensor& frequencies) {
  require_activation(qkv, "head_norm_rope", "qkv");
  require_rank(qkv, 2, "head_norm_rope", "qkv");
  require(heads > 0 && kv_heads > 0 && qkv.dim(1) % (heads + 2 * kv_heads) == 0, ErrorKind::shape,
          "head_norm_rope: qkv {} does not hold {} + 2 x {} heads", qkv.shape(), heads, kv_heads);
  const int64_t rows = qkv.dim(0), head_dim = qkv.dim(1) / (heads + 2 * kv_heads);
  require(q_weight_D.defined() == k_weight_D.defined(), ErrorKind::shape,
          "head_norm_rope: queries and keys are normalised together, but only one weight is given");
  if (q_weight_D.defined()) {
    require_shape(q_weight_D, {head_dim}, "head_norm_rope", "the query weight");
    require_shape(k_weight_D, {head_dim}, "head_norm_rope", "the key weight");
  }
  int axes = 1;
  if (positions.defined()) {
    require_dtype(positions, DType::i32, "head_norm_rope", "positions");
    if (positions.rank() == 2) axes = static_cast<int>(positions.dim(1));
    require((axes == 1 || axes == 2) && positions.elements() == rows * axes && positions.rank() <= 2, ErrorKind::shape,
            "head_norm_rope: positions {} for {} rows; expected [T] or [T, 2]", positions.shape(), rows);
    require(head_dim % (2 * axes) == 0, ErrorKind::shape, "head_norm_rope: head size {} with {} position axes",
            head_dim, axes);
    if (frequencies.defined()) {
      require(axes == 1, ErrorKind::shape, "head_norm_rope: frequencies are for one position axis, not {}", axes);
      require_shape(frequencies, {head_dim / 2}, "head_norm_rope", "the frequencies");
    }
  }
  if (!q_weight_D.defined() && !positions.defined()) return qkv;

  const Tensor q_weight = as_f32(q_weight_D), k_weight = as_f32(k_weight_D);
  const bool recorded = will_record({qkv, q_weight_D, k_weight_D});
  const Tensor inverse_rms =
      recorded && q_weight.defined() ? Tensor::empty({rows, heads + kv_heads}, DType::f32, qkv.device()) : Tensor();
  const auto make_args = [=](const Tensor& y) {
    return HeadNormRopeArgs{.rows = rows,
                            .heads = heads,
                            .kv_heads = kv_heads,
                            .head_dim = head_dim,
                            .qkv = view(qkv),
                            .q_weight = f32_data(q_weight),
                            .k_weight = f32_data(k_weight),
                            .eps = eps,
                            .table = {.positions = positions.defined() ? positions.data<int32_t>() : nullptr,
                                      .axes = axes,
                                      .theta = theta,
                                      .frequencies = f32_data(frequencies)},
                            .y = view(y),
                            .inverse_rms = inverse_rms.defined() ? inverse_rms.data<float>() : nullptr};
  };
  const Tensor y = Tensor::empty(qkv.shape(), qkv.dtype(), qkv.device());
  if (rows != 0) launch(&KernelTable::head_norm_rope, qkv, "head_norm_rope", make_args(y));
  if (!recorded) return y;

  return record("head_norm_rope", y, {qkv, q_weight_D, k_weight_D},
                [qkv, q_weight_D, k_weight_D, make_args, rows](const Tensor& dy) {
                  const Tensor dqkv = Tensor::empty(qkv.shape(), qkv.dtype(), qkv.device());
                  GradTarget dq_weight(q_weight_D), dk_weight(k_weight_D);
                  if (rows != 0) {
                    launch(&KernelTable::head_norm_rope_backward, qkv, "head_norm_rope",
                           {.forward = make_args({}),
                            .grad_y = view(dy),
                            .grad_qkv = view(dqkv),
                            .grad_q_weight = dq_weight.data_or_scratch(),
                            .grad_k_weight = dk_weight.data_or_scratch()});
                  }
                  return std::vector<Tensor>{dqkv, dq_weight.result(), dk_weight.result()};
                });
}

}  // namespace sensorium::ops
