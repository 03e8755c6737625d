#include "models/vision/published.h"

#include "models/checkpoint/folder.h"

namespace sensorium::models {

modality::VisionTransformerConfig read_vision_sizes(const Json& json, const std::string& where,
                                                    modality::VisionTransformerConfig config) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  config.image_size = reader.get_int_or("image_size", config.image_size, 1, 1 << 14);
  config.patch = reader.get_int_or("patch_size", config.patch, 1, config.image_size);
  config.dim = reader.get_int_or("hidden_size", config.dim, 8, 1 << 16);
  config.layers = reader.get_int_or("num_hidden_layers", config.layers, 1, 1024);
  config.heads = reader.get_int_or("num_attention_heads", config.heads, 1, 1024);
  config.mlp_width = reader.get_int_or("intermediate_size", config.mlp_width, 8, 1 << 18);
  config.norm_eps = static_cast<float>(reader.get_or<double>("layer_norm_eps", config.norm_eps));
  if (reader.has("hidden_act")) config.activation = read_activation(reader.get<std::string>("hidden_act"), where);
  const int64_t channels = reader.get_int_or("num_channels", 3, 1, 1024);
  require(channels == 3, ErrorKind::unsupported, "{}: pictures of {} channels; towers are made for 3", where, channels);
  require(config.dim % config.heads == 0, ErrorKind::invalid_data,
          "{}: \"hidden_size\" {} is no multiple of \"num_attention_heads\" {}", where, config.dim, config.heads);
  const int64_t head_dim = config.dim / config.heads;
  require(head_dim % 8 == 0 && head_dim <= 256, ErrorKind::unsupported,
          "{}: heads of size {}; attention is made for multiples of 8 up to 256", where, head_dim);
  return config;
}

OrderedJson describe_vision(const modality::VisionTransformerConfig& config) {
  return {{"image_size", config.image_size}, {"patch", config.patch}, {"dim", config.dim},
          {"layers", config.layers},         {"heads", config.heads}, {"mlp_width", config.mlp_width}};
}

std::vector<NameRule> encoder_layer_rules() {
  return {
      {"layers.*.norm1", {"encoder.layers.*.layer_norm1"}},
      {"layers.*.attention.qkv",
       {"encoder.layers.*.self_attn.q_proj", "encoder.layers.*.self_attn.k_proj", "encoder.layers.*.self_attn.v_proj"}},
      {"layers.*.attention.out", {"encoder.layers.*.self_attn.out_proj"}},
      {"layers.*.norm2", {"encoder.layers.*.layer_norm2"}},
      {"layers.*.mlp", {"encoder.layers.*.mlp"}}};
}

std::vector<NameRule> vision_rules() {
  std::vector<NameRule> rules = encoder_layer_rules();
  rules.insert(rules.end(), {{"class_token", {"embeddings.class_embedding"}},
                             {"patch", {"embeddings.patch_embedding"}},
                             {"position", {"embeddings.position_embedding"}},
                             {"pre_norm", {"pre_layrnorm"}},  // as the files spell it
                             {"post_norm", {"post_layernorm"}}});
  return rules;
}

}  // namespace sensorium::models
