// Legend: T rows, C channels, H query heads, G key/value heads, D head size.
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
  if (config.extra_key) {
    require(!config.causal, ErrorKind::shape,
            "{}: an extra key stands behind all others, so attention cannot be causal", name);
    extra_key = store.add(name + ".extra_key", {config.kv_heads * config.head_dim}, Init::normal, 0.02f);
    extra_value = store.add(name + ".extra_value", {config.kv_heads * config.head_dim}, Init::normal, 0.02f);
  }
}

namespace {

Tensor project(const SelfAttention& attention, const Tensor& x_TC, const Tensor& positions) {
  const AttentionConfig& config = attention.config;
  return ops::head_norm_rope(attention.qkv(x_TC), config.heads, config.kv_heads, attention.q_norm, attention.k_norm,
                             config.rope_theta > 0 ? positions : Tensor(), config.rope_theta, config.norm_eps,
                             config.rope_frequencies);
}

// Each sequence's rows of `x`, with `extra` behind them.
Tensor with_extra_row(const Tensor& x, const Tensor& extra, const ops::Sequences& sequences) {
  const Tensor row = ops::cast(extra.reshape({1, extra.elements()}), x.dtype());
  std::vector<Tensor> parts;
  for (size_t i = 0; i < sequences.count(); ++i) {
    parts.push_back(x.slice(sequences.offsets[i], sequences.offsets[i + 1]));
    parts.push_back(row);
  }
  return ops::concat_rows(parts);
}

// The rows of `asked` attend to those of `sequences`, and to the extra one if there is any.
Tensor attend(const SelfAttention& attention, const Tensor& q_T, const ops::Sequences& asked, const Tensor& qkv_T,
              const ops::Sequences& sequences) {
  const AttentionConfig& config = attention.config;
  const int64_t queries = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
  Tensor k = ops::slice_columns(qkv_T, queries, queries + keys);
  Tensor v = ops::slice_columns(qkv_T, queries + keys, queries + 2 * keys);
  ops::Sequences extended = sequences;
  if (config.extra_key) {
    for (size_t i = 0; i < extended.offsets.size(); ++i) extended.offsets[i] += static_cast<int32_t>(i);
    k = with_extra_row(k, attention.extra_key, sequences);
    v = with_extra_row(v, attention.extra_value, sequences);
  }
  return ops::attention(q_T, k, v, config.heads, config.kv_heads, asked, extended, false);
}

Tensor first_of_each(const Tensor& x_TC, const ops::Sequences& sequences) {
  const std::vector<int32_t> rows(sequences.offsets.begin(), sequences.offsets.end() - 1);
  return ops::gather_rows(x_TC, Tensor::from(rows, {static_cast<int64_t>(rows.size())}));
}

}  // namespace

Tensor SelfAttention::operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const {
  if (config.extra_key) {
    const Tensor qkv_T = project(*this, x_TC, positions);
    return out(
        attend(*this, ops::slice_columns(qkv_T, 0, config.heads * config.head_dim), sequences, qkv_T, sequences));
  }
  return out(
      ops::self_attention(project(*this, x_TC, positions), config.heads, config.kv_heads, sequences, config.causal));
}

Tensor SelfAttention::first_rows(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences) const {
  require(!config.causal, ErrorKind::shape, "the first row of a causal sequence attends to itself alone");
  const Tensor qkv_T = project(*this, x_TC, positions);
  ops::Sequences single{{0}};
  for (size_t i = 1; i < sequences.offsets.size(); ++i) single.offsets.push_back(static_cast<int32_t>(i));
  const Tensor q_N = ops::slice_columns(first_of_each(qkv_T, sequences), 0, config.heads * config.head_dim);
  return out(attend(*this, q_N, single, qkv_T, sequences));
}

Tensor SelfAttention::cached(const Tensor& x_TC, const Tensor& positions, KvBatch& batch, int64_t layer) const {
  const NoGrad no_grad;
  const KvLayout& layout = batch.layout();
  const ops::Sequences& sequences = batch.sequences();
  require(layout.kv_heads == config.kv_heads && layout.head_dim == config.head_dim && layer >= 0 &&
              layer < layout.layers && sequences.offsets.back() == x_TC.dim(0),
          ErrorKind::shape, "attention: {} sequences of {} rows do not fit the caches", sequences.count(), x_TC.dim(0));
  const Tensor qkv_T = project(*this, x_TC, positions);
  const int64_t stride = qkv_T.dim(1), query_width = config.heads * config.head_dim;
  const int64_t key_width = config.kv_heads * config.head_dim;
  const Tensor mixed = Tensor::empty({x_TC.dim(0), query_width}, qkv_T.dtype(), qkv_T.device());
  const auto at = [](const Tensor& tensor, int64_t element) -> std::byte* {
    return static_cast<std::byte*>(tensor.raw()) + static_cast<size_t>(element) * size_of(tensor.dtype());
  };
  const auto rows_of = [&](size_t i) { return sequences.offsets[i + 1] - sequences.offsets[i]; };
  for (size_t i = 0; i < sequences.count(); ++i) {
    const int64_t row = sequences.offsets[i] * stride;
    batch.cache(i).append(layer, at(qkv_T, row + query_width), at(qkv_T, row + query_width + key_width), qkv_T.dtype(),
                          stride, rows_of(i));
  }
  const auto pages = [&](size_t offset, size_t begin) {
    return kernels::HeadsView{.dtype = layout.dtype,
                              .row_stride = config.head_dim,
                              .head_stride = KvLayout::kBlockTokens * config.head_dim,
                              .in = {.pages = batch.pages(),
                                     .first_page = batch.first_page() + begin,
                                     .page_rows = KvLayout::kBlockTokens,
                                     .offset = static_cast<int64_t>(offset),
                                     .scale_offset = static_cast<int64_t>(offset + layout.scales_offset())}};
  };
  const kernels::KernelTable& table = kernels::kernel_table(qkv_T.device());
  const auto attend = kernels::find_kernel(table.attention, table, "attention");
  // Neighbours of the same kind go together (see kernels::kFewQueries).
  const auto few = [&](size_t i) { return rows_of(i) <= kernels::kFewQueries; };
  for (size_t begin = 0, end; begin < sequences.count(); begin = end) {
    for (end = begin + 1; end < sequences.count() && few(end) == few(begin);) ++end;
    attend({.heads = config.heads,
            .kv_heads = config.kv_heads,
            .head_dim = config.head_dim,
            .q = {at(qkv_T, 0), qkv_T.dtype(), stride, config.head_dim},
            .k = pages(layout.keys_offset(layer), begin),
            .v = pages(layout.values_offset(layer), begin),
            .sequences = static_cast<int64_t>(end - begin),
            .query_offsets = sequences.offsets.data() + begin,
            .key_offsets = batch.key_offsets() + begin,
            .causal = config.causal,
            .scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim)),
            .out = at(mixed, 0),
            .out_row_stride = query_width});
  }
  return out(mixed);
}

CrossAttention::CrossAttention(ParameterStore& store, const std::string& name, int64_t dim, int64_t source_dim,
                               int64_t head_count, int64_t head_size, float out_scale)
    : heads(head_count),
      head_dim(head_size),
      q(store, name + ".q", dim, heads * head_dim, Bias::none),
      kv(store, name + ".kv", source_dim, 2 * heads * head_dim, Bias::none),
      out(store, name + ".out", heads * head_dim, dim, Bias::none, out_scale) {}

CrossAttention::Source CrossAttention::read(const Tensor& source_SC) const {
  const Tensor both = kv(source_SC);
  const int64_t width = heads * head_dim;
  return {ops::slice_columns(both, 0, width), ops::slice_columns(both, width, 2 * width)};
}

Tensor CrossAttention::operator()(const Tensor& x_TC, const ops::Sequences& queries, const Source& source,
                                  const ops::Sequences& sources) const {
  return out(ops::attention(q(x_TC), source.keys_SD, source.values_SD, heads, heads, queries, sources, false));
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

Tensor TransformerBlock::cached(const Tensor& x_TC, const Tensor& positions, KvBatch& batch, int64_t layer) const {
  const NoGrad no_grad;
  const Tensor h_TC = ops::add(x_TC, attention.cached(norm1(x_TC), positions, batch, layer));
  return ops::add(h_TC, mlp(norm2(h_TC)));
}

EncoderBlock::EncoderBlock(ParameterStore& store, const std::string& name, const AttentionConfig& config,
                           int64_t mlp_width, kernels::Unary activation)
    : norm1(store, name + ".norm1", config.dim, config.norm_eps), attention(store, name + ".attention", config) {
  norm2 = LayerNorm(store, name + ".norm2", config.dim, config.norm_eps);
  mlp = Mlp(store, name + ".mlp", config.dim, mlp_width, config.dim, 1.0f, activation);
}

namespace {

Tensor scaled(const Tensor& branch_TC, const Tensor& factors_T) {
  return factors_T.defined() ? ops::scale_rows(branch_TC, factors_T) : branch_TC;
}

}  // namespace

Tensor EncoderBlock::operator()(const Tensor& x_TC, const Tensor& positions, const ops::Sequences& sequences,
                                const BranchFactors& factors) const {
  const Tensor h_TC = ops::add(x_TC, scaled(attention(norm1(x_TC), positions, sequences), factors.attention_T));
  return ops::add(h_TC, scaled(mlp(norm2(h_TC)), factors.mlp_T));
}

Tensor EncoderBlock::first_rows(const Tensor& x_TC, const ops::Sequences& sequences,
                                const BranchFactors& factors) const {
  const Tensor mixed_NC = attention.first_rows(norm1(x_TC), {}, sequences);
  const Tensor h_NC = ops::add(first_of_each(x_TC, sequences), scaled(mixed_NC, factors.attention_T));
  return ops::add(h_NC, scaled(mlp(norm2(h_NC)), factors.mlp_T));
}

}  // namespace sensorium::nn
