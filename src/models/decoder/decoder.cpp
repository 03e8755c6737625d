#include "models/decoder/decoder.h"

#include <cmath>
#include <numeric>

namespace sensorium::models {
namespace {

// 0, 1, 2, ... in every sequence, starting from `first[i]`.
Tensor position_ids(const ops::Sequences& sequences, const std::vector<int64_t>& first) {
  std::vector<int32_t> positions(static_cast<size_t>(sequences.offsets.back()));
  for (size_t i = 0; i < sequences.count(); ++i) {
    std::iota(positions.begin() + sequences.offsets[i], positions.begin() + sequences.offsets[i + 1],
              static_cast<int32_t>(first.empty() ? 0 : first[i]));
  }
  return Tensor::from(positions, {static_cast<int64_t>(positions.size())});
}

}  // namespace

Decoder::Decoder(nn::ParameterStore& store, const std::string& name, const DecoderConfig& config)
    : name_(name), config_(config) {
  const Shape table{config.vocabulary, config.dim};
  const std::string embedding = name + ".embedding.weight";
  // Rows alone are not worth packing; as the matrix of the logits the table is.
  embedding_ = config.tied_embeddings ? store.add_matrix(embedding, table, nn::Init::normal, 0.02f)
                                      : nn::Matrix{store.add(embedding, table, nn::Init::normal, 0.02f), {}};
  const nn::AttentionConfig attention{.dim = config.dim,
                                      .heads = config.heads,
                                      .kv_heads = config.kv_heads,
                                      .head_dim = config.head_dim,
                                      .causal = true,
                                      .qk_norm = config.qk_norm,
                                      .rope_theta = config.rope_theta,
                                      .rope_frequencies = config.rope_frequencies,
                                      .norm_eps = config.norm_eps,
                                      .qkv_bias = config.qkv_bias,
                                      .out_bias = config.out_bias};
  // Each of the 2 * layers branches adds to the residual stream: scaled so that its variance stays near 1 (GPT-2).
  const float out_scale = 1.0f / std::sqrt(2.0f * static_cast<float>(config.layers));
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks_.emplace_back(store, fmt::format("{}.layers.{}", name, i), attention, config.mlp_width, out_scale,
                         config.mlp_bias);
  }
  for (int64_t i = 0; config.cross_every > 0 && i < config.layers; i += config.cross_every) {
    cross_.emplace_back(store, fmt::format("{}.cross.{}", name, i), config.dim, config.heads, config.head_dim,
                        config.mlp_width, out_scale, config.norm_eps);
  }
  norm_ = nn::RmsNorm(store, name + ".norm", config.dim, config.norm_eps);
  const nn::Matrix output =
      config.tied_embeddings ? embedding_ : store.add_matrix(name + ".output.weight", table, nn::Init::normal, 0.02f);
  output_.weight = output.tensor;
  output_.packed = output.packed;
}

Tensor Decoder::embed(const Tensor& ids_T, DType dtype) const {
  return embedding_.packed.defined() ? ops::packed_rows(embedding_.packed, ids_T, dtype)
                                     : nn::look_up_rows(embedding_.tensor, ids_T, dtype);
}

const CrossLayer* Decoder::cross_before(size_t block) const {
  const auto every = static_cast<size_t>(config_.cross_every);
  return cross_.empty() || block % every != 0 ? nullptr : &cross_[block / every];
}

Tensor Decoder::operator()(const Tensor& x_TC, const ops::Sequences& sequences, const CrossMedia& media) const {
  const Tensor positions_T = position_ids(sequences, {});
  const bool reads = !cross_.empty() && media.rows_SC.defined();
  const CrossPlan plan = reads ? plan_cross(sequences, {}, media.spans) : CrossPlan();
  const auto run = [&](const std::function<Tensor(const std::vector<Tensor>&)>& layer, const std::vector<Tensor>& in) {
    return checkpointing_ ? checkpoint(layer, in) : layer(in);
  };
  Tensor h_TC = x_TC;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (const CrossLayer* const cross = cross_before(i); cross != nullptr && !plan.empty()) {
      h_TC = run([cross, plan](const std::vector<Tensor>& in) { return (*cross)(in[0], cross->read(in[1]), plan); },
                 {h_TC, media.rows_SC});
    }
    h_TC = run([&block = blocks_[i], positions_T,
                sequences](const std::vector<Tensor>& in) { return block(in[0], positions_T, sequences); },
               {h_TC});
  }
  return norm_(h_TC);
}

CrossContext Decoder::read_media(const Tensor& media_SC, std::vector<MediumSpan> spans) const {
  const NoGrad no_grad;
  CrossContext context{.layers = {}, .spans = std::move(spans)};
  for (const CrossLayer& layer : cross_) context.layers.push_back(layer.read(media_SC));
  return context;
}

namespace {

// The media of several sequences one behind the other.
struct JoinedContexts {
  std::vector<std::vector<MediumSpan>> spans;
  std::vector<const CrossContext*> read;

  explicit JoinedContexts(std::span<const CrossContext* const> contexts) {
    int64_t before = 0;
    for (const CrossContext* const context : contexts) {
      std::vector<MediumSpan>& own = spans.emplace_back();
      if (context == nullptr || context->spans.empty()) continue;
      for (const MediumSpan& span : context->spans) own.push_back({span.row, span.begin + before, span.end + before});
      before += context->layers.front().keys_SD.dim(0);
      read.push_back(context);
    }
  }
  nn::CrossAttention::Source layer(size_t index) const {
    if (read.size() == 1) return read.front()->layers[index];
    std::vector<Tensor> keys, values;
    for (const CrossContext* const context : read) {
      keys.push_back(context->layers[index].keys_SD);
      values.push_back(context->layers[index].values_SD);
    }
    return {ops::concat_rows(keys), ops::concat_rows(values)};
  }
};

}  // namespace

Tensor Decoder::cached(const Tensor& x_TC, const ops::Sequences& sequences, std::span<nn::KvCache* const> caches,
                       std::span<const CrossContext* const> contexts) const {
  const NoGrad no_grad;
  std::vector<int64_t> first;
  for (const nn::KvCache* cache : caches) first.push_back(cache->length());
  nn::KvBatch batch(caches, sequences);
  const Tensor positions_T = position_ids(sequences, first);
  const JoinedContexts media(cross_.empty() ? std::span<const CrossContext* const>() : contexts);
  const CrossPlan plan = media.read.empty() ? CrossPlan() : plan_cross(sequences, first, media.spans);
  Tensor h_TC = x_TC;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (const CrossLayer* const cross = cross_before(i); cross != nullptr && !plan.empty())
      h_TC = (*cross)(h_TC, media.layer(i / static_cast<size_t>(config_.cross_every)), plan);
    h_TC = blocks_[i].cached(h_TC, positions_T, batch, static_cast<int64_t>(i));
  }
  batch.advance();
  return norm_(h_TC);
}

Tensor Decoder::logits(const Tensor& hidden_TC) const {
  return output_.packed.defined() ? ops::packed_linear(hidden_TC, output_.packed, {}, DType::f32)
                                  : ops::cast(output_(hidden_TC), DType::f32);
}

void Decoder::for_each_linear(const std::function<void(const std::string& name, nn::Linear& linear)>& visit) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    nn::TransformerBlock& block = blocks_[i];
    const std::string layer = fmt::format("{}.layers.{}.", name_, i);
    visit(layer + "attention.qkv", block.attention.qkv);
    visit(layer + "attention.out", block.attention.out);
    visit(layer + "mlp.gate_up", block.mlp.gate_up);
    visit(layer + "mlp.down", block.mlp.down);
  }
}

void Decoder::pack() {
  for_each_linear([](const std::string&, nn::Linear& linear) { linear.pack(); });
  output_.pack();
}

nn::KvLayout Decoder::cache_layout(DType dtype) const {
  return {.layers = config_.layers, .kv_heads = config_.kv_heads, .head_dim = config_.head_dim, .dtype = dtype};
}

}  // namespace sensorium::models
