// Names of a multimodal model's tensors differ between versions of Hugging Face's layout: transformers 4.52 moved all but the output
// embedding under "model.", version 5 drops "vision_model.".
#pragma once

#include <string>

namespace sensorium::models {

// One name for all of them: decoders as in text models ("model.layers.0...", "lm_head.weight"), the rest under
// "vision_tower.vision_model.", "multi_modal_projector." and "image_newline".
std::string canonical_name(std::string name);
// Whether a canonical name is of the tower, the projector or the newline.
bool is_vision_name(const std::string& name);

}  // namespace sensorium::models
