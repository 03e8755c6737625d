// Qwen 1.5, 2 and 2.5 (Yang 2024): Llama's layout with biases on queries, keys and values.
#pragma once

#include <memory>
#include <string>

#include "models/checkpoint/checkpoint.h"
#include "models/decoder/decoder.h"
#include "models/model.h"

namespace sensorium::models {

// From a config.json, or the "text_config" of a multimodal one. Throws Error as read_decoder_sizes.
DecoderConfig read_qwen2_config(const Json& config, const std::string& where);

std::unique_ptr<Model> load_qwen2(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
