// What sizes a LLaVA model: the config.json of Hugging Face's layout (LlavaConfig, LlavaNextConfig).
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "modality/image/vision_transformer.h"
#include "models/decoder/decoder.h"

namespace sensorium::models {

struct LlavaConfig {
  modality::VisionTransformerConfig vision;
  std::vector<int64_t> vision_states;  // whose states, side by side, the projector reads: 0..layers
  bool drop_class_token = true;
  kernels::Unary projector_activation = kernels::Unary::gelu_erf;
  nn::Bias projector_bias = nn::Bias::zeros;
  DecoderConfig decoder;
  std::string decoder_type;  // model_type of the "text_config"
  int32_t image_token = 32000;

  // Decoder rows that one view of a picture makes.
  int64_t view_tokens() const { return vision.tokens() - (drop_class_token && vision.class_token ? 1 : 0); }

  // What the file is silent about is as the class has it. Throws Error that names `where` and the key: invalid_data, unsupported
  // (a tower or decoder that this program lacks, the layout of the original repository).
  static LlavaConfig from_json(const Json& json, const std::string& where);
};

}  // namespace sensorium::models
