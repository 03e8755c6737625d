#include "models/gguf/config.h"

#include <algorithm>
#include <array>

namespace sensorium::models {
namespace {

// Metadata under a prefix; errors name file and key.
class Keys {
 public:
  Keys(const io::GgufFile& file, std::string prefix, const std::string& where)
      : file_(file), prefix_(std::move(prefix)), where_(where) {}

  bool has(const std::string& key) const { return file_.has(prefix_ + key); }
  template <typename T>
  T get(const std::string& key) const {
    try {
      return file_.get<T>(prefix_ + key);
    } catch (const Error& error) {
      fail(ErrorKind::invalid_data, "{}: {}", where_, error.message());
    }
  }
  template <typename T>
  T get_or(const std::string& key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }

 private:
  const io::GgufFile& file_;
  std::string prefix_;
  const std::string& where_;
};

std::string architecture_of(const io::GgufFile& file) { return file.get_or<std::string>("general.architecture", ""); }

int64_t rows_of(const io::GgufFile& file, const std::string& name, const std::string& where) {
  require(file.contains(name) && file.blocks(name).shape.rank() == 2, ErrorKind::invalid_data,
          "{}: tensor {} is missing or no matrix", where, name);
  return file.blocks(name).shape[0];
}

// Stretched positions: a factor for all, or one for each frequency in a tensor of their own (Llama 3).
Json rope_of(const io::GgufFile& file, const Keys& keys, const std::string& where) {
  Json rope = {{"rope_type", "default"}, {"rope_theta", keys.get_or<double>("rope.freq_base", 10000.0)}};
  const auto type = keys.get_or<std::string>("rope.scaling.type", "none");
  if (type != "none") {
    rope["rope_type"] = type;
    rope["factor"] = keys.get_or<double>("rope.scaling.factor", 1.0);
  }
  if (file.contains("rope_freqs.weight")) {
    require(type == "none", ErrorKind::unsupported, "{}: positions stretched both by \"{}\" and by rope_freqs.weight",
            where, type);
    rope["rope_type"] = "divisors";
    rope["divisors"] = file.tensor("rope_freqs.weight").to_floats();
  }
  return rope;
}

int64_t count_blocks(const io::GgufFile& file) {
  int64_t blocks = 0;
  while (file.contains(fmt::format("v.blk.{}.ln1.weight", blocks))) ++blocks;
  return blocks;
}

bool is_anyres(const Keys& keys) {
  return keys.has("image_grid_pinpoints") || keys.get_or<std::string>("mm_patch_merge_type", "flat") == "spatial_unpad";
}

}  // namespace

Json gguf_decoder_config(const io::GgufFile& file, const std::string& where) {
  const std::string architecture = architecture_of(file);
  require(architecture == "llama" || architecture == "qwen2", ErrorKind::unsupported,
          "{}: architecture \"{}\", supported are llama and qwen2", where, architecture);
  const Keys keys(file, architecture + ".", where);
  require(keys.get_or<int64_t>("expert_count", 0) == 0, ErrorKind::unsupported, "{}: a model of experts", where);
  const auto dim = keys.get<int64_t>("embedding_length"), heads = keys.get<int64_t>("attention.head_count");
  require(heads > 0 && dim > 0, ErrorKind::invalid_data, "{}: {} heads for {} channels", where, heads, dim);
  const auto head_dim = keys.get_or<int64_t>("attention.key_length", dim / heads);
  require(keys.get_or<int64_t>("rope.dimension_count", head_dim) == head_dim, ErrorKind::unsupported,
          "{}: rotary positions on {} of a head's {} components", where, keys.get<int64_t>("rope.dimension_count"),
          head_dim);
  auto context = keys.get<int64_t>("context_length");
  if (keys.has("attention.sliding_window")) {
    context = std::min(context, keys.get<int64_t>("attention.sliding_window"));
  }
  Json config = {{"model_type", architecture},
                 {"vocab_size", rows_of(file, "token_embd.weight", where)},
                 {"hidden_size", dim},
                 {"intermediate_size", keys.get<int64_t>("feed_forward_length")},
                 {"num_hidden_layers", keys.get<int64_t>("block_count")},
                 {"num_attention_heads", heads},
                 {"num_key_value_heads", keys.get_or<int64_t>("attention.head_count_kv", heads)},
                 {"head_dim", head_dim},
                 {"max_position_embeddings", context},
                 {"rms_norm_eps", keys.get<double>("attention.layer_norm_rms_epsilon")},
                 {"rope_parameters", rope_of(file, keys, where)},
                 {"attention_bias", file.contains("blk.0.attn_q.bias") && file.contains("blk.0.attn_output.bias")},
                 {"tie_word_embeddings", !file.contains("output.weight")}};
  Json ends = Json::array();
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (file.has(key)) ends.push_back(file.get<int64_t>(key));
  }
  if (!ends.empty()) config["eos_token_id"] = std::move(ends);
  return config;
}

Json gguf_llava_config(const Json& decoder, const io::GgufFile& vision, const std::string& where) {
  const Keys clip(vision, "clip.", where), keys(vision, "clip.vision.", where);
  const auto projector = clip.get_or<std::string>("projector_type", keys.get_or<std::string>("projector_type", "mlp"));
  require(projector == "mlp", ErrorKind::unsupported, "{}: a projector of type \"{}\", supported is mlp", where,
          projector);
  const bool class_token = vision.contains("v.class_embd");
  const char* activation = clip.get_or<bool>("use_gelu", false)   ? "gelu"
                           : clip.get_or<bool>("use_silu", false) ? "silu"
                                                                  : "quick_gelu";
  Json config = {{"model_type", is_anyres(keys) ? "llava_next" : "llava"},
                 {"text_config", decoder},
                 {"vision_config",
                  {{"model_type", class_token ? "clip_vision_model" : "siglip_vision_model"},
                   {"image_size", keys.get<int64_t>("image_size")},
                   {"patch_size", keys.get<int64_t>("patch_size")},
                   {"hidden_size", keys.get<int64_t>("embedding_length")},
                   {"intermediate_size", keys.get<int64_t>("feed_forward_length")},
                   {"num_attention_heads", keys.get<int64_t>("attention.head_count")},
                   {"num_hidden_layers", count_blocks(vision)},
                   {"layer_norm_eps", keys.get_or<double>("attention.layer_norm_epsilon", 1e-5)},
                   {"hidden_act", activation}}},
                 // The converters leave out the blocks behind the one whose output the projector reads.
                 {"vision_feature_layer", -1},
                 {"vision_feature_select_strategy", class_token ? "default" : "full"},
                 {"projector_hidden_act", "gelu"},
                 {"multimodal_projector_bias", vision.contains("mm.0.bias")}};
  if (keys.has("feature_layer")) config["vision_feature_layer"] = keys.get<std::vector<int64_t>>("feature_layer");
  if (keys.has("image_grid_pinpoints")) {
    const auto sides = keys.get<std::vector<int64_t>>("image_grid_pinpoints");  // width, height, width, height, ..
    require(sides.size() % 2 == 0, ErrorKind::invalid_data, "{}: \"image_grid_pinpoints\" has {} numbers", where,
            sides.size());
    config["image_grid_pinpoints"] = Json::array();
    for (size_t i = 0; i < sides.size(); i += 2) {
      config["image_grid_pinpoints"].push_back({sides[i + 1], sides[i]});
    }
  }
  return config;
}

Json gguf_image_processor(const io::GgufFile& vision, const std::string& where) {
  const Keys keys(vision, "clip.vision.", where);
  const auto size = keys.get<int64_t>("image_size");
  Json processor = {{"image_processor_type", "LlavaImageProcessor"},
                    {"do_pad", !is_anyres(keys)},
                    {"size", {{"shortest_edge", size}}},
                    {"crop_size", {{"height", size}, {"width", size}}}};
  if (keys.has("image_mean")) processor["image_mean"] = keys.get<std::vector<double>>("image_mean");
  if (keys.has("image_std")) processor["image_std"] = keys.get<std::vector<double>>("image_std");
  return processor;
}

bool is_gguf_vision(const io::GgufFile& file) { return architecture_of(file) == "clip"; }

bool has_swapped_mlp(const io::GgufFile& vision) {
  constexpr const char* kDown = "v.blk.0.ffn_down.weight";
  if (!vision.contains(kDown)) return false;
  const Shape& shape = vision.blocks(kDown).shape;  // [out, in]
  return shape.rank() == 2 && shape[0] > shape[1];
}

}  // namespace sensorium::models
