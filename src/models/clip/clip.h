// CLIP (Radford 2021): its two towers, and the vision tower that others build on.
#pragma once

#include <memory>
#include <string>

#include "modality/image/vision_transformer.h"
#include "models/checkpoint/checkpoint.h"
#include "models/model.h"

namespace sensorium::models {

// From the "vision_config" of a config.json. Throws Error as read_vision_sizes.
modality::VisionTransformerConfig read_clip_vision(const Json& config, const std::string& where);

// A DualEncoder.
std::unique_ptr<Model> load_clip(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
