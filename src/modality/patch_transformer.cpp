// Legend: N inputs, P patches of all inputs, K values of a patch, T tokens of all inputs, C channels.
#include "modality/patch_transformer.h"

#include <algorithm>

namespace sensorium::modality {
namespace {

constexpr float kStemNormEps = 1e-5f;
constexpr uint64_t kDropPathStream = 0xD9A7;  // a seed's other draws must not be met

}  // namespace

nn::BranchFactors drop_path_factors(const DropPath& drop, int64_t layer, int64_t layers, int64_t inputs,
                                    int64_t tokens) {
  const double probability =
      layers > 1 ? drop.rate * static_cast<double>(layer) / static_cast<double>(layers - 1) : 0.0;
  if (probability == 0) return {};
  nn::BranchFactors factors{Tensor::empty({inputs * tokens}), Tensor::empty({inputs * tokens})};
  for (int64_t i = 0; i < inputs; ++i) {
    Rng rng =
        Rng::for_item(drop.seed + kDropPathStream, static_cast<uint64_t>((drop.first_input + i) * layers + layer));
    for (const Tensor& branch_T : {factors.attention_T, factors.mlp_T}) {
      const bool kept = rng.uniform() >= probability;
      std::fill_n(branch_T.data<float>() + i * tokens, tokens, kept ? static_cast<float>(1 / (1 - probability)) : 0.0f);
    }
  }
  return factors;
}

PatchTransformer::PatchTransformer(nn::ParameterStore& store, const std::string& name,
                                   const PatchTransformerConfig& config)
    : config_(config) {
  const int64_t dim = config.dim();
  require(config.patches > 0 && config.layers > 0 && config.heads > 0 && dim % config.heads == 0, ErrorKind::shape,
          "{}: {} patches, {} layers, {} channels in {} heads", name, config.patches, config.layers, dim, config.heads);
  if (config.class_token) class_token_ = store.add(name + ".class_token", {dim}, nn::Init::normal, 0.02f);
  patch_ = nn::PatchEmbedding(store, name + ".patch", config.stem, config.patch_bias);
  if (config.stem_norm) stem_norm_ = nn::LayerNorm(store, name + ".stem_norm", dim, kStemNormEps);
  position_ = store.add(name + ".position.weight", {config.tokens(), dim}, nn::Init::normal, 0.02f);
  if (config.pre_norm) pre_norm_ = nn::LayerNorm(store, name + ".pre_norm", dim, config.norm_eps);
  const nn::AttentionConfig attention{.dim = dim,
                                      .heads = config.heads,
                                      .kv_heads = config.heads,
                                      .head_dim = dim / config.heads,
                                      .causal = false,
                                      .qk_norm = false,
                                      .rope_theta = 0,
                                      .norm_eps = config.norm_eps,
                                      .qkv_bias = nn::Bias::zeros,
                                      .out_bias = nn::Bias::zeros,
                                      .extra_key = config.extra_key};
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks_.emplace_back(store, fmt::format("{}.layers.{}", name, i), attention, config.mlp_width, config.activation);
  }
  if (config.post_norm) post_norm_ = nn::LayerNorm(store, name + ".post_norm", dim, config.norm_eps);
}

void PatchTransformer::for_each_linear(const std::function<void(const std::string& name, nn::Linear& linear)>& visit) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const std::string block = fmt::format("layers.{}", i);
    visit(block + ".attention.qkv", blocks_[i].attention.qkv);
    visit(block + ".attention.out", blocks_[i].attention.out);
    visit(block + ".mlp.fc1", blocks_[i].mlp.fc1);
    visit(block + ".mlp.fc2", blocks_[i].mlp.fc2);
  }
}

ops::Sequences PatchTransformer::sequences(int64_t inputs) const {
  ops::Sequences result{{0}};
  for (int64_t i = 1; i <= inputs; ++i) result.offsets.push_back(static_cast<int32_t>(i * config_.tokens()));
  return result;
}

int64_t PatchTransformer::inputs_of(const Tensor& patches_PK) const {
  require(
      patches_PK.rank() == 2 && patches_PK.dim(1) == config_.patch_values() && patches_PK.dim(0) % config_.patches == 0,
      ErrorKind::shape, "patches {}; expected [N x {}, {}]", patches_PK.shape(), config_.patches,
      config_.patch_values());
  return patches_PK.dim(0) / config_.patches;
}

Tensor PatchTransformer::embed(const Tensor& patches_PK) const {
  const int64_t inputs = inputs_of(patches_PK), patches = config_.patches, tokens = config_.tokens();
  const DType compute = patches_PK.dtype();
  Tensor x_TC = patch_(patches_PK);
  if (config_.stem_norm) x_TC = stem_norm_(x_TC);
  if (config_.class_token) {
    const Tensor first = ops::cast(class_token_.reshape({1, config_.dim()}), compute);
    std::vector<Tensor> parts;
    for (int64_t i = 0; i < inputs; ++i) {
      parts.push_back(first);
      parts.push_back(x_TC.slice(i * patches, (i + 1) * patches));
    }
    x_TC = ops::concat_rows(parts);
  }
  std::vector<int32_t> index(static_cast<size_t>(inputs * tokens));
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int32_t>(static_cast<int64_t>(i) % tokens);
  x_TC = ops::add(x_TC, nn::look_up_rows(position_, Tensor::from(index, {inputs * tokens}), compute));
  return config_.pre_norm ? pre_norm_(x_TC) : x_TC;
}

Tensor PatchTransformer::run_block(int64_t layer, const Tensor& x_TC, Rows rows) const {
  const int64_t inputs = x_TC.dim(0) / config_.tokens();
  nn::BranchFactors factors;
  if (drop_path_) {
    factors = drop_path_factors(*drop_path_, layer, config_.layers, inputs, rows == Rows::all ? config_.tokens() : 1);
  }
  const auto run = [&block = blocks_[static_cast<size_t>(layer)], packed = sequences(inputs), factors,
                    rows](const std::vector<Tensor>& in) {
    return rows == Rows::all ? block(in[0], {}, packed, factors) : block.first_rows(in[0], packed, factors);
  };
  // A tower that does not train keeps nothing anyway.
  return checkpointing_ && x_TC.requires_grad() ? checkpoint(run, {x_TC}) : run({x_TC});
}

std::vector<Tensor> PatchTransformer::states(const Tensor& patches_PK, std::span<const int64_t> wanted) const {
  std::vector<Tensor> found(wanted.size());
  const int64_t last = wanted.empty() ? 0 : *std::max_element(wanted.begin(), wanted.end());
  require(last <= config_.layers && std::all_of(wanted.begin(), wanted.end(), [](int64_t i) { return i >= 0; }),
          ErrorKind::shape, "state {} of a tower of {} layers", last, config_.layers);
  Tensor x_TC = embed(patches_PK);
  for (int64_t i = 0;; ++i) {
    for (size_t k = 0; k < wanted.size(); ++k) {
      if (wanted[k] == i) found[k] = x_TC;
    }
    if (i >= last) return found;
    x_TC = run_block(i, x_TC, Rows::all);
  }
}

Tensor PatchTransformer::operator()(const Tensor& patches_PK) const {
  const int64_t last = config_.layers;
  return post_norm_(states(patches_PK, {&last, 1})[0]);
}

Tensor PatchTransformer::class_states(const Tensor& patches_PK) const {
  require(config_.class_token, ErrorKind::shape, "a tower without a class token has no state of one");
  const int64_t before_last = config_.layers - 1;
  return post_norm_(run_block(before_last, states(patches_PK, {&before_last, 1})[0], Rows::class_token));
}

}  // namespace sensorium::modality
