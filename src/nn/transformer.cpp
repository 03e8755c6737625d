// Legend: T rows, C channels, H query heads, G key/value heads, D head size.
#include <array>
#include <cmath>

#include "kernels/table.h"
#include "nn/modules.h"

namespace sensorium::nn {

SelfAttention::SelfAttention(ParameterStore& store, const std::string& name, const AttentionConfig& attention_config,
                             float out_scale)
    : config(attention_config) {
  require(config.dim > 0 && config.heads > 0 && config.kv_heads > 0 && config.head_dim > 0 &&
              config.heads % config.kv_heads == 0,
          ErrorKind::shape, "{}: {} heads of {} with {} key/value heads", name, config.heads, config.head_dim,
          config.kv_heads);
  qkv =
      Linear(store, name + ".qkv", config.dim, (config.heads + 2 * config.kv_heads) * config.head_dim, config.qkv_bias);
  out = Linear(store, name + ".out", config.heads * config.head_dim, config.dim, config.out_bias, out_scale);
  if (config.qk_norm) {
    q_norm = store.add(name + ".q_norm.weight", {config.head_dim}, Init::ones);
    k_norm = store.add(name + ".k_norm.weight", {config.head_dim}, Init::ones);
  }
}

namespace {

Tensor project(const SelfAttention& attention, const Tensor& x_TC, const Tensor& positions) {
  const AttentionConfig& config = attention.config;
  return ops::head_norm_rope(attention.qkv(x_TC), config.heads, config.kv_heads, attention.q_norm, attention.k_norm,
                             config.rope_theta > 0 ? positions : Tensor(), config.rope_theta, config.norm_eps,
                             config.rope_frequencies);
}

}  // namespace

Tensor SelfAttention::operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const {
  return out(
      ops::self_attention(project(*this, x_TC, positions), config.heads, config.kv_heads, sequences, config.causal));
}

Tensor SelfAttention::cached(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences,
                             KvCache& cache, int64_t layer) const {
  const NoGrad no_grad;
  require(static_cast<int64_t>(sequences.count()) == cache.config().sequences &&
              cache.config().kv_heads == config.kv_heads && cache.config().head_dim == config.head_dim && layer >= 0 &&
              layer < cache.config().layers && sequences.offsets.back() == x_TC.dim(0),
          ErrorKind::shape, "attention: {} sequences of {} rows do not fit the cache", sequences.count(), x_TC.dim(0));
  const Tensor qkv_T = project(*this, x_TC, positions);
  const int64_t stride = qkv_T.dim(1), query_width = config.heads * config.head_dim;
  const int64_t key_width = config.kv_heads * config.head_dim;
  const Tensor mixed = Tensor::empty({x_TC.dim(0), query_width}, qkv_T.dtype(), qkv_T.device());
  const auto at = [](const Tensor& tensor, int64_t element) -> std::byte* {
    return static_cast<std::byte*>(tensor.raw()) + static_cast<size_t>(element) * size_of(tensor.dtype());
  };
  const kernels::KernelTable& table = kernels::kernel_table(qkv_T.device());
  for (size_t i = 0; i < sequences.count(); ++i) {
    const int32_t first = sequences.offsets[i], rows = sequences.offsets[i + 1] - first;
    if (rows == 0) continue;
    const auto sequence = static_cast<int64_t>(i);
    const int64_t row = first * stride;
    cache.append(layer, sequence, at(qkv_T, row + query_width), at(qkv_T, row + query_width + key_width), qkv_T.dtype(),
                 stride, rows);
    const std::array<int32_t, 2> queries{0, rows};
    const std::array<int32_t, 2> keys{0, static_cast<int32_t>(cache.length(sequence)) + rows};
    const DType stored = cache.config().dtype;
    kernels::find_kernel(table.attention, table,
                         "attention")({.heads = config.heads,
                                       .kv_heads = config.kv_heads,
                                       .head_dim = config.head_dim,
                                       .q = {at(qkv_T, row), qkv_T.dtype(), stride, config.head_dim},
                                       .k = {cache.keys(layer, sequence), stored, key_width, config.head_dim},
                                       .v = {cache.values(layer, sequence), stored, key_width, config.head_dim},
                                       .sequences = 1,
                                       .query_offsets = queries.data(),
                                       .key_offsets = keys.data(),
                                       .causal = config.causal,
                                       .scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim)),
                                       .out = at(mixed, first * query_width),
                                       .out_row_stride = query_width});
  }
  return out(mixed);
}

SwigluMlp::SwigluMlp(ParameterStore& store, const std::string& name, int64_t dim, int64_t width, float out_scale,
                     Bias bias)
    : gate_up(store, name + ".gate_up", dim, 2 * width, bias),
      down(store, name + ".down", width, dim, bias, out_scale) {}

Tensor SwigluMlp::operator()(const Tensor& x_TC) const { return down(ops::swiglu(gate_up(x_TC))); }

Mlp::Mlp(ParameterStore& store, const std::string& name, int64_t in, int64_t width, int64_t out, float out_scale,
         kernels::Unary function, Bias bias)
    : fc1(store, name + ".fc1", in, width, bias),
      fc2(store, name + ".fc2", width, out, bias, out_scale),
      activation(function) {}

TransformerBlock::TransformerBlock(ParameterStore& store, const std::string& name, const AttentionConfig& config,
                                   int64_t mlp_width, float out_scale, Bias mlp_bias)
    : norm1(store, name + ".norm1", config.dim, config.norm_eps),
      attention(store, name + ".attention", config, out_scale) {
  // After the attention, as in the order of the computation.
  norm2 = RmsNorm(store, name + ".norm2", config.dim, config.norm_eps);
  mlp = SwigluMlp(store, name + ".mlp", config.dim, mlp_width, out_scale, mlp_bias);
}

Tensor TransformerBlock::operator()(const Tensor& x_TC, const Tensor& positions,
                                    const ops::Sequences& sequences) const {
  const Tensor h_TC = ops::add(x_TC, attention(norm1(x_TC), positions, sequences));
  return ops::add(h_TC, mlp(norm2(h_TC)));
}

Tensor TransformerBlock::cached(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences,
                                KvCache& cache, int64_t layer) const {
  const NoGrad no_grad;
  const Tensor h_TC = ops::add(x_TC, attention.cached(norm1(x_TC), positions, sequences, cache, layer));
  return ops::add(h_TC, mlp(norm2(h_TC)));
}

EncoderBlock::EncoderBlock(ParameterStore& store, const std::string& name, const AttentionConfig& config,
                           int64_t mlp_width, kernels::Unary activation)
    : norm1(store, name + ".norm1", config.dim, config.norm_eps), attention(store, name + ".attention", config) {
  norm2 = LayerNorm(store, name + ".norm2", config.dim, config.norm_eps);
  mlp = Mlp(store, name + ".mlp", config.dim, mlp_width, config.dim, 1.0f, activation);
}

Tensor EncoderBlock::operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const {
  const Tensor h_TC = ops::add(x_TC, attention(norm1(x_TC), positions, sequences));
  return ops::add(h_TC, mlp(norm2(h_TC)));
}

}  // namespace sensorium::nn
