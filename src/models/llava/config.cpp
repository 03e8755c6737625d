#include "models/llava/config.h"

#include "models/checkpoint/folder.h"
#include "models/decoder/published.h"
#include "models/vision/published.h"

namespace sensorium::models {
namespace {

// The tower of LLaVA 1.5 and 1.6, for files without a "vision_config": CLIP ViT-L/14 at 336 pixels.
Json default_tower() {
  return {{"model_type", "clip_vision_model"},
          {"hidden_size", 1024},
          {"intermediate_size", 4096},
          {"patch_size", 14},
          {"image_size", 336},
          {"num_hidden_layers", 24},
          {"num_attention_heads", 16}};
}

// Indices of hidden states as the reference counts them: 0 is the first block's input, negative ones count from the end.
std::vector<int64_t> read_states(ConfigReader& reader, int64_t layers, const std::string& where) {
  std::vector<int64_t> states = {-2};
  if (reader.has("vision_feature_layer")) {
    const Json& value = reader.child("vision_feature_layer");
    states = value.is_array() ? reader.get<std::vector<int64_t>>("vision_feature_layer")
                              : std::vector<int64_t>{reader.get<int64_t>("vision_feature_layer")};
  }
  require(!states.empty(), ErrorKind::invalid_data, "{}: \"vision_feature_layer\" is empty", where);
  for (int64_t& state : states) {
    const int64_t index = state < 0 ? layers + 1 + state : state;
    require(index >= 0 && index <= layers, ErrorKind::invalid_data,
            "{}: \"vision_feature_layer\" {} of a tower of {} layers", where, state, layers);
    state = index;
  }
  return states;
}

}  // namespace

LlavaConfig LlavaConfig::from_json(const Json& json, const std::string& where) {
  const Json given = without_nulls(json);
  ConfigReader reader(given, where);
  require(!reader.has("mm_vision_tower"), ErrorKind::unsupported,
          "{}: the layout of the original LLaVA repository (\"mm_vision_tower\"); convert it to Hugging Face's first",
          where);
  LlavaConfig config;
  const Json vision = reader.has("vision_config") ? reader.child("vision_config") : default_tower();
  const std::string vision_where = where + ": vision_config";
  const std::string vision_type =
      ConfigReader(vision, vision_where).get_or<std::string>("model_type", "clip_vision_model");
  config.vision = vision_family(vision_type, vision_where).read(vision, vision_where);
  config.vision_states = read_states(reader, config.vision.layers, where);
  const std::string strategy = reader.get_or<std::string>("vision_feature_select_strategy", "default");
  require(strategy == "default" || strategy == "full", ErrorKind::invalid_data,
          "{}: \"vision_feature_select_strategy\" is \"{}\", expected \"default\" or \"full\"", where, strategy);
  config.drop_class_token = strategy == "default";
  require(!config.drop_class_token || config.vision.class_token, ErrorKind::unsupported,
          "{}: \"vision_feature_select_strategy\" \"default\" drops a class token, which {} has not", where,
          vision_type);
  config.projector_activation = read_activation(reader.get_or<std::string>("projector_hidden_act", "gelu"), where);
  config.projector_bias = reader.get_or<bool>("multimodal_projector_bias", true) ? nn::Bias::zeros : nn::Bias::none;

  const Json& text = reader.child("text_config");
  const std::string text_where = where + ": text_config";
  config.decoder_type = ConfigReader(text, text_where).get_or<std::string>("model_type", "llama");
  config.decoder = decoder_family(config.decoder_type, text_where).read(text, text_where);
  if (reader.get_or<bool>("tie_word_embeddings", false)) config.decoder.tied_embeddings = true;
  const char* key = reader.has("image_token_id") ? "image_token_id" : "image_token_index";
  config.image_token = static_cast<int32_t>(reader.get_int_or(key, 32000, 0, config.decoder.vocabulary - 1));
  return config;
}

}  // namespace sensorium::models
