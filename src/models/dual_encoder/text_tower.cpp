#include "models/checkpoint/folder.h"
#include "models/dual_encoder/dual_encoder.h"
#include "models/vision/published.h"

namespace sensorium::models {

TextTowerConfig TextTowerConfig::from_json(const Json& json, const std::string& where, TextTowerConfig config) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  config.vocabulary = reader.get_int_or("vocab_size", config.vocabulary, 16, 1 << 22);
  config.context = reader.get_int_or("max_position_embeddings", config.context, 2, 1 << 20);
  config.dim = reader.get_int_or("hidden_size", config.dim, 8, 1 << 16);
  config.layers = reader.get_int_or("num_hidden_layers", config.layers, 1, 1024);
  config.heads = reader.get_int_or("num_attention_heads", config.heads, 1, 1024);
  config.mlp_width = reader.get_int_or("intermediate_size", config.mlp_width, 8, 1 << 18);
  config.norm_eps = static_cast<float>(reader.get_or<double>("layer_norm_eps", config.norm_eps));
  if (reader.has("hidden_act")) config.activation = read_activation(reader.get<std::string>("hidden_act"), where);
  require(config.dim % config.heads == 0 && config.dim / config.heads % 8 == 0 && config.dim / config.heads <= 256,
          ErrorKind::unsupported,
          "{}: \"hidden_size\" {} in {} heads; attention is made for sizes that are multiples of 8 "
          "up to 256",
          where, config.dim, config.heads);
  return config;
}

TextTower::TextTower(nn::ParameterStore& store, const std::string& name, const TextTowerConfig& config)
    : config_(config),
      embedding_(store.add(name + ".embedding.weight", {config.vocabulary, config.dim}, nn::Init::normal, 0.02f)),
      position_(store.add(name + ".position.weight", {config.context, config.dim}, nn::Init::normal, 0.01f)) {
  const nn::AttentionConfig attention{.dim = config.dim,
                                      .heads = config.heads,
                                      .kv_heads = config.heads,
                                      .head_dim = config.dim / config.heads,
                                      .causal = config.causal,
                                      .qk_norm = false,
                                      .rope_theta = 0,
                                      .norm_eps = config.norm_eps,
                                      .qkv_bias = nn::Bias::zeros,
                                      .out_bias = nn::Bias::zeros};
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks_.emplace_back(store, fmt::format("{}.layers.{}", name, i), attention, config.mlp_width, config.activation);
  }
  final_norm_ = nn::LayerNorm(store, name + ".final_norm", config.dim, config.norm_eps);
}

Tensor TextTower::operator()(const Tensor& ids_T, const ops::Sequences& texts, DType compute) const {
  std::vector<int32_t> positions;
  for (size_t i = 0; i < texts.count(); ++i) {
    const int32_t length = texts.offsets[i + 1] - texts.offsets[i];
    require(length <= config_.context, ErrorKind::shape, "a text of {} tokens, the text tower holds {}", length,
            config_.context);
    for (int32_t position = 0; position < length; ++position) positions.push_back(position);
  }
  const Tensor positions_T = Tensor::from(positions, {static_cast<int64_t>(positions.size())});
  Tensor x_TC =
      ops::add(nn::look_up_rows(embedding_, ids_T, compute), nn::look_up_rows(position_, positions_T, compute));
  for (const nn::EncoderBlock& block : blocks_) x_TC = block(x_TC, {}, texts);
  return final_norm_(x_TC);
}

std::vector<NameRule> text_tower_rules() {
  std::vector<NameRule> rules = encoder_layer_rules();
  rules.insert(rules.end(), {{"embedding", {"embeddings.token_embedding"}},
                             {"position", {"embeddings.position_embedding"}},
                             {"final_norm", {"final_layer_norm"}}});
  return rules;
}

}  // namespace sensorium::models
