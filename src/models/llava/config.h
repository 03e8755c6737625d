// What sizes a LLaVA model: the configuration of Hugging Face's classes LlavaConfig, LlavaNextConfig and LlavaOnevisionConfig.
#pragma once

#include <string>
#include <vector>

#include "modality/image/vision_transformer.h"
#include "models/checkpoint/checkpoint.h"
#include "models/decoder/decoder.h"

namespace sensorium::models {

struct LlavaConfig {
  modality::VisionTransformerConfig vision;
  std::vector<int64_t> vision_states;  // whose states, side by side, the projector reads: 0..layers
  bool drop_class_token = true;
  kernels::Unary projector_activation = kernels::Unary::gelu_erf;
  nn::Bias projector_bias = nn::Bias::zeros;
  DecoderConfig decoder;
  std::string decoder_type;     // model_type of the "text_config"
  int32_t image_token = 32000;  // text::kImageId where no token stands for a picture
  int32_t video_token = -1;     // text::kVideoId where no token stands for a video; -1: the family reads none

  bool reads_videos() const { return video_token != -1; }
  // Decoder rows that one view of a picture makes.
  int64_t view_tokens() const { return vision.tokens() - (drop_class_token && vision.class_token ? 1 : 0); }

  // What the file is silent about is as the class has it. Throws Error that names the file and the key: invalid_data,
  // unsupported (a tower or decoder that this program lacks).
  static LlavaConfig read(const Checkpoint& checkpoint);
};

}  // namespace sensorium::models
