#include "models/llava/config.h"

#include <algorithm>
#include <array>

#include "models/checkpoint/folder.h"
#include "models/decoder/published.h"
#include "models/vision/published.h"
#include "text/image_prompt.h"

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

// What the classes assume where a file is silent.
struct ClassDefaults {
  const char* model_type;
  int64_t feature_layer;
  const char* select_strategy;
  int32_t image_token, video_token;
};
constexpr std::array<ClassDefaults, 3> kClasses = {{
    {"llava", -2, "default", 32000, -1},
    {"llava_next", -2, "default", 32000, -1},
    {"llava_onevision", -1, "full", 151646, 151647},
}};

const ClassDefaults& defaults_of(const std::string& model_type) {
  const auto found =
      std::find_if(kClasses.begin(), kClasses.end(), [&](const auto& c) { return c.model_type == model_type; });
  return found == kClasses.end() ? kClasses[0] : *found;
}

// The tower of LLaVA-OneVision: SigLIP-SO400M/14 at 384 pixels, whose last layer is left out.
Json default_onevision_tower() {
  return {{"model_type", "siglip_vision_model"},
          {"hidden_size", 1152},
          {"intermediate_size", 4304},
          {"patch_size", 14},
          {"image_size", 384},
          {"num_hidden_layers", 26},
          {"num_attention_heads", 16}};
}

// Indices of hidden states as the reference counts them: 0 is the first block's input, negative ones count from the end.
std::vector<int64_t> read_states(ConfigReader& reader, int64_t by_default, int64_t layers, const std::string& where) {
  std::vector<int64_t> states = {by_default};
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

int32_t read_token(ConfigReader& reader, const char* key, int32_t by_default, const LlavaConfig& config) {
  return static_cast<int32_t>(reader.get_int_or(key, by_default, 0, config.decoder.vocabulary - 1));
}

}  // namespace

LlavaConfig LlavaConfig::read(const Checkpoint& checkpoint) {
  const std::string& where = checkpoint.where();
  ConfigReader reader(checkpoint.config(), where);
  LlavaConfig config;
  const ClassDefaults& defaults = defaults_of(reader.get<std::string>("model_type"));
  const bool reads_videos = defaults.video_token >= 0;
  const Json vision = reader.has("vision_config") ? reader.child("vision_config")
                      : reads_videos              ? default_onevision_tower()
                                                  : default_tower();
  const std::string vision_where = where + ": vision_config";
  const std::string vision_type =
      ConfigReader(vision, vision_where).get_or<std::string>("model_type", "clip_vision_model");
  config.vision = vision_family(vision_type, vision_where).read(vision, vision_where);
  config.vision_states = read_states(reader, defaults.feature_layer, config.vision.layers, where);
  const std::string strategy = reader.get_or<std::string>("vision_feature_select_strategy", defaults.select_strategy);
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
  config.decoder_type =
      ConfigReader(text, text_where).get_or<std::string>("model_type", reads_videos ? "qwen2" : "llama");
  config.decoder = decoder_family(config.decoder_type, text_where).read(text, text_where);
  if (reader.get_or<bool>("tie_word_embeddings", false)) config.decoder.tied_embeddings = true;
  config.vision.post_norm = checkpoint.layout() != Checkpoint::Layout::gguf;  // its converters may leave it out
  if (checkpoint.layout() != Checkpoint::Layout::huggingface) {
    config.image_token = text::kImageId;
    if (reads_videos) config.video_token = text::kVideoId;
    return config;
  }
  const char* key = reader.has("image_token_id") ? "image_token_id" : "image_token_index";
  config.image_token = read_token(reader, key, defaults.image_token, config);
  if (reads_videos) {
    key = reader.has("video_token_id") ? "video_token_id" : "video_token_index";
    config.video_token = read_token(reader, key, defaults.video_token, config);
  }
  return config;
}

}  // namespace sensorium::models
