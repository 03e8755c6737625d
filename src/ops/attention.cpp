// Legend: T query rows, S key rows, H query heads, G key/value heads, D head size.
#include <algorithm>
#include <cmath>

#include "kernels/attention.h"
#include "ops/common.h"
#include "ops/ops.h"

namespace sensorium::ops {
namespace {

using namespace detail;
using kernels::AttentionArgs;
using kernels::KernelTable;

void check_sequences(const Sequences& sequences, int64_t rows, const char* which) {
  const std::vector<int32_t>& offsets = sequences.offsets;
  require(!offsets.empty() && offsets.front() == 0 && offsets.back() == rows &&
              std::is_sorted(offsets.begin(), offsets.end()),
          ErrorKind::shape, "attention: the offsets of the {} must rise from 0 to {}", which, rows);
}

// Everything but where q, k and v lie.
AttentionArgs make_args(int64_t heads, int64_t kv_heads, int64_t head_dim, const Sequences& queries,
                        const Sequences& keys, bool causal, const Tensor& out, const Tensor& log_sum_exp) {
  return {.heads = heads,
          .kv_heads = kv_heads,
          .head_dim = head_dim,
          .sequences = static_cast<int64_t>(queries.count()),
          .query_offsets = queries.offsets.data(),
          .key_offsets = keys.offsets.data(),
          .causal = causal,
          .scale = 1.0f / std::sqrt(static_cast<float>(head_dim)),
          .out = out.raw(),
          .out_row_stride = heads * head_dim,
          .log_sum_exp = log_sum_exp.defined() ? log_sum_exp.data<float>() : nullptr};
}

void check_heads(int64_t heads, int64_t kv_heads, int64_t head_dim) {
  require(heads > 0 && kv_heads > 0 && heads % kv_heads == 0, ErrorKind::shape,
          "attention: {} query heads are no multiple of {} key/value heads", heads, kv_heads);
  require(head_dim > 0 && head_dim % 8 == 0 && head_dim <= 256, ErrorKind::shape,
          "attention: the head size must be a multiple of 8 up to 256, it is {}", head_dim);
}

}  // namespace

Tensor self_attention(const Tensor& qkv, int64_t heads, int64_t kv_heads, const Sequences& sequences, bool causal) {
  require_activation(qkv, "attention", "qkv");
  require_rank(qkv, 2, "attention", "qkv");
  const int64_t slots = heads + 2 * kv_heads;
  require(slots > 0 && qkv.dim(1) % slots == 0, ErrorKind::shape, "attention: qkv {} does not hold {} + 2 x {} heads",
          qkv.shape(), heads, kv_heads);
  const int64_t rows = qkv.dim(0), head_dim = qkv.dim(1) / slots;
  check_heads(heads, kv_heads, head_dim);
  check_sequences(sequences, rows, "sequences");

  // The address of head `head` of the first row; queries, keys and values stand side by side in a row.
  const auto head_of = [head_dim](const Tensor& fused, int64_t head) {
    return static_cast<void*>(static_cast<std::byte*>(fused.raw()) +
                              static_cast<size_t>(head * head_dim) * size_of(fused.dtype()));
  };
  const auto point = [=](AttentionArgs& args, const Tensor& fused) {
    const int64_t stride = fused.dim(1);
    args.q = {head_of(fused, 0), fused.dtype(), stride, head_dim};
    args.k = {head_of(fused, heads), fused.dtype(), stride, head_dim};
    args.v = {head_of(fused, heads + kv_heads), fused.dtype(), stride, head_dim};
  };
  const bool recorded = will_record({qkv});
  const Tensor out = Tensor::empty({rows, heads * head_dim}, qkv.dtype(), qkv.device());
  const Tensor log_sum_exp = recorded ? Tensor::empty({heads, rows}, DType::f32, qkv.device()) : Tensor();
  AttentionArgs args = make_args(heads, kv_heads, head_dim, sequences, sequences, causal, out, log_sum_exp);
  point(args, qkv);
  if (rows != 0) launch(&KernelTable::attention, qkv, "attention", args);
  if (!recorded) return out;

  return record("attention", out, {qkv},
                [qkv, kept = out.detach(), log_sum_exp, heads, kv_heads, head_dim, sequences, causal, head_of,
                 point](const Tensor& dy) {
                  const Tensor dqkv = Tensor::empty(qkv.shape(), qkv.dtype(), qkv.device());
                  AttentionArgs forward =
                      make_args(heads, kv_heads, head_dim, sequences, sequences, causal, kept, log_sum_exp);
                  point(forward, qkv);
                  if (qkv.dim(0) != 0) {
                    launch(&KernelTable::attention_backward, qkv, "attention",
                           {.forward = forward,
                            .grad_out = dy.raw(),
                            .grad_q = head_of(dqkv, 0),
                            .grad_k = head_of(dqkv, heads),
                            .grad_v = head_of(dqkv, heads + kv_heads)});
                  }
                  return std::vector<Tensor>{dqkv};
                });
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, int64_t kv_heads,
                 const Sequences& queries, const Sequences& keys, bool causal) {
  require_activation(q, "attention", "q");
  require_rank(q, 2, "attention", "q");
  require(heads > 0 && q.dim(1) % heads == 0, ErrorKind::shape, "attention: q {} does not hold {} heads", q.shape(),
          heads);
  const int64_t head_dim = q.dim(1) / heads;
  check_heads(heads, kv_heads, head_dim);
  require_rank(k, 2, "attention", "k");
  require_shape(k, {k.dim(0), kv_heads * head_dim}, "attention", "k");
  require_shape(v, k.shape(), "attention", "v");
  require_dtype(k, q.dtype(), "attention", "k");
  require_dtype(v, q.dtype(), "attention", "v");
  check_sequences(queries, q.dim(0), "queries");
  check_sequences(keys, k.dim(0), "keys");
  require(queries.count() == keys.count(), ErrorKind::shape, "attention: {} query sequences but {} key sequences",
          queries.count(), keys.count());
  for (size_t i = 0; causal && i < queries.count(); ++i) {
    require(keys.offsets[i + 1] - keys.offsets[i] >= queries.offsets[i + 1] - queries.offsets[i], ErrorKind::shape,
            "attention: sequence {} is causal and has fewer keys than queries", i);
  }

  const auto point = [=](AttentionArgs& args) {
    args.q = {q.raw(), q.dtype(), q.dim(1), head_dim};
    args.k = {k.raw(), k.dtype(), k.dim(1), head_dim};
    args.v = {v.raw(), v.dtype(), v.dim(1), head_dim};
  };
  const bool recorded = will_record({q, k, v});
  const Tensor out = Tensor::empty(q.shape(), q.dtype(), q.device());
  const Tensor log_sum_exp = recorded ? Tensor::empty({heads, q.dim(0)}, DType::f32, q.device()) : Tensor();
  AttentionArgs args = make_args(heads, kv_heads, head_dim, queries, keys, causal, out, log_sum_exp);
  point(args);
  if (q.dim(0) != 0) launch(&KernelTable::attention, q, "attention", args);
  if (!recorded) return out;

  return record("attention", out, {q, k, v},
                [q, k, v, kept = out.detach(), log_sum_exp, heads, kv_heads, head_dim, queries, keys, causal,
                 point](const Tensor& dy) {
                  std::vector<Tensor> grads;
                  for (const Tensor* input : {&q, &k, &v}) {
                    grads.push_back(Tensor::empty(input->shape(), input->dtype(), input->device()));
                  }
                  AttentionArgs forward =
                      make_args(heads, kv_heads, head_dim, queries, keys, causal, kept, log_sum_exp);
                  point(forward);
                  launch(&KernelTable::attention_backward, q, "attention",
                         {.forward = forward,
                          .grad_out = dy.raw(),
                          .grad_q = grads[0].raw(),
                          .grad_k = grads[1].raw(),
                          .grad_v = grads[2].raw()});
                  return grads;
                });
}

}  // namespace sensorium::ops
