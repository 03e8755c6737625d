// SigLIP (Zhai 2023): its two towers, and the vision tower that others build on.
#pragma once

#include <memory>
#include <string>

#include "modality/image/vision_transformer.h"
#include "models/checkpoint/checkpoint.h"
#include "models/model.h"

namespace sensorium::models {

// From the "vision_config" of a config.json. Throws Error as read_vision_sizes.
modality::VisionTransformerConfig read_siglip_vision(const Json& config, const std::string& where);

// A DualEncoder. classify() gives the softmax over the labels, as for every family; the model itself was trained to give each
// pair of picture and text a probability of its own (the sigmoid of DualEncoder::compare).
std::unique_ptr<Model> load_siglip(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
