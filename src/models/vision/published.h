// The vision towers of published checkpoints: sizes from their config.json, names of their tensors.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "modality/image/vision_transformer.h"
#include "models/checkpoint/weights.h"

namespace sensorium::models {

// Reads the keys that the families share; what the configuration is silent about stays as in `defaults`. Throws Error that
// names `where` and the key: invalid_data, unsupported (not 3 channels, no kernels for the head size).
modality::VisionTransformerConfig read_vision_sizes(const Json& config, const std::string& where,
                                                    modality::VisionTransformerConfig defaults);

// Names of a vision tower's modules in the files, under "vision_model.".
std::vector<NameRule> vision_rules();
// Names of the blocks that vision and text towers have in common: "layers.*".
std::vector<NameRule> encoder_layer_rules();

// For describe(): what people want to know of a tower.
OrderedJson describe_vision(const modality::VisionTransformerConfig& config);

// A family of vision towers that multimodal models build on, by the "model_type" of their "vision_config".
struct VisionFamily {
  const char* model_type;
  modality::VisionTransformerConfig (*read)(const Json& config, const std::string& where);
};
// registry.cpp holds the table. Throws Error(unsupported).
const VisionFamily& vision_family(const std::string& model_type, const std::string& where);

}  // namespace sensorium::models
