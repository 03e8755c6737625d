#include "models/siglip/siglip.h"

#include "models/checkpoint/weights.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/vision/published.h"

namespace sensorium::models {
namespace {

// Attention of one learned query to all states of a picture, then an MLP (Zhai 2022, "Scaling Vision Transformers").
// Parameters: <name>.probe [1, 1, dim], <name>.qkv, <name>.out, <name>.norm, <name>.mlp.
class AttentionPool {
 public:
  AttentionPool() = default;
  AttentionPool(nn::ParameterStore& store, const std::string& name, const modality::VisionTransformerConfig& config)
      : dim_(config.dim),
        heads_(config.heads),
        probe_(store.add(name + ".probe", {1, 1, config.dim}, nn::Init::normal, 0.02f)),
        qkv_weight_(store.add(name + ".qkv.weight", {3 * config.dim, config.dim}, nn::Init::lecun)),
        qkv_bias_(store.add(name + ".qkv.bias", {3 * config.dim}, nn::Init::zeros)),
        out_(store, name + ".out", config.dim, config.dim, nn::Bias::zeros),
        norm_(store, name + ".norm", config.dim, config.norm_eps),
        mlp_(store, name + ".mlp", config.dim, config.mlp_width, config.dim, 1.0f, config.activation) {}

  // [T, dim] of packed pictures -> [pictures, dim].
  Tensor operator()(const Tensor& x_TC, const ops::Sequences& pictures) const {
    const auto part = [&](const Tensor& x, int64_t index) {
      return ops::linear(x, qkv_weight_.slice(index * dim_, (index + 1) * dim_),
                         qkv_bias_.slice(index * dim_, (index + 1) * dim_));
    };
    ops::Sequences queries{{0}};
    for (size_t i = 0; i < pictures.count(); ++i) queries.offsets.push_back(static_cast<int32_t>(i) + 1);
    const std::vector<Tensor> probes(pictures.count(), ops::cast(probe_.reshape({1, dim_}), x_TC.dtype()));
    const Tensor mixed = ops::attention(part(ops::concat_rows(probes), 0), part(x_TC, 1), part(x_TC, 2), heads_, heads_,
                                        queries, pictures, false);
    const Tensor pooled_NC = out_(mixed);
    return ops::add(pooled_NC, mlp_(norm_(pooled_NC)));
  }

 private:
  int64_t dim_ = 0, heads_ = 0;
  Tensor probe_;
  Tensor qkv_weight_, qkv_bias_;
  nn::Linear out_;
  nn::LayerNorm norm_;
  nn::Mlp mlp_;
};

class Siglip : public DualEncoder {
 public:
  Siglip(const Checkpoint& checkpoint, DType compute)
      : DualEncoder(checkpoint, compute, "siglip", modality::ImageProcessorConfig::siglip()) {
    const std::string& where = checkpoint.where();
    ConfigReader reader(checkpoint.config(), where);
    const modality::VisionTransformerConfig vision_config =
        read_siglip_vision(reader.child("vision_config"), where + ": vision_config");
    const Json text = without_nulls(reader.child("text_config"));
    const TextTowerConfig text_config = TextTowerConfig::from_json(text, where + ": text_config",
                                                                   {.vocabulary = 32000,
                                                                    .context = 64,
                                                                    .dim = 768,
                                                                    .layers = 12,
                                                                    .heads = 12,
                                                                    .mlp_width = 3072,
                                                                    .activation = kernels::Unary::gelu_tanh,
                                                                    .norm_eps = 1e-6f,
                                                                    .causal = false});
    ConfigReader text_reader(text, where + ": text_config");
    padding_ = static_cast<int32_t>(text_reader.get_int_or("pad_token_id", 1, 0, text_config.vocabulary - 1));
    const int64_t dim = text_reader.get_int_or("projection_size", text_config.dim, 1, 1 << 16);
    require(dim == vision_config.dim, ErrorKind::invalid_data, "{}: texts become vectors of {} numbers, pictures of {}",
            where, dim, vision_config.dim);

    CheckpointWeights weights(checkpoint);
    weights.map("pool.", {"vision_model.head."},
                {{"probe", {"probe"}},
                 {"qkv.weight", {"attention.in_proj_weight"}},
                 {"qkv.bias", {"attention.in_proj_bias"}},
                 {"out", {"attention.out_proj"}},
                 {"norm", {"layernorm"}},
                 {"mlp", {"mlp"}}});
    weights.map("vision.", {"vision_model."}, vision_rules());
    weights.map("text.", {"text_model."}, text_tower_rules());
    weights.map(
        "", {""},
        {{"text_projection", {"text_model.head"}}, {"logit_scale", {"logit_scale"}}, {"logit_bias", {"logit_bias"}}});
    weights.ignore("*.position_ids");
    store_ = weights.load([&](nn::ParameterStore& store) {
      vision_ = modality::VisionTransformer(store, "vision", vision_config);
      pool_ = AttentionPool(store, "pool", vision_config);
      text_ = TextTower(store, "text", text_config);
      text_projection_ = nn::Linear(store, "text_projection", text_config.dim, dim, nn::Bias::zeros);
      logit_scale_ = store.add("logit_scale", {1});
      logit_bias_ = store.add("logit_bias", {1});
    });
    embedding_dim_ = dim;
    check_sizes();
  }

 private:
  Tensor project_images(const Tensor& pixels_N3SS) const override {
    return pool_(vision_(pixels_N3SS, compute_), vision_.sequences(pixels_N3SS.dim(0)));
  }

  // The last state stands for the text.
  Tensor project_texts(const Tensor& ids_T, const ops::Sequences& texts) const override {
    std::vector<int32_t> rows;
    for (size_t i = 0; i < texts.count(); ++i) rows.push_back(texts.offsets[i + 1] - 1);
    const Tensor rows_T = Tensor::from(rows, {static_cast<int64_t>(rows.size())});
    return text_projection_(ops::gather_rows(text_(ids_T, texts, compute_), rows_T));
  }

  // The tower was trained on texts filled up to its context; padding takes part in the attention.
  std::vector<int32_t> encode(const std::string& text) const override {
    std::vector<int32_t> ids = tokenizer_->encode(text, {.affixes = text::Affixes::model});
    cut_to_context(ids, text_.config().context);
    ids.resize(static_cast<size_t>(text_.config().context), padding_);
    return ids;
  }

  int32_t padding_ = 0;
  AttentionPool pool_;
  nn::Linear text_projection_;
};

}  // namespace

modality::VisionTransformerConfig read_siglip_vision(const Json& config, const std::string& where) {
  return read_vision_sizes(config, where,
                           {.patch = 16,
                            .activation = kernels::Unary::gelu_tanh,
                            .norm_eps = 1e-6f,
                            .class_token = false,
                            .pre_norm = false,
                            .patch_bias = nn::Bias::zeros});
}

std::unique_ptr<Model> load_siglip(const Checkpoint& checkpoint, DType compute) {
  return std::make_unique<Siglip>(checkpoint, compute);
}

}  // namespace sensorium::models
