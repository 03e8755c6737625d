// Llama 2 and 3 (Touvron 2023, Dubey 2024) and what has their layout: Vicuna, Yi; and Mistral (Jiang 2023).
#pragma once

#include <memory>
#include <string>

#include "models/checkpoint/checkpoint.h"
#include "models/decoder/decoder.h"
#include "models/model.h"

namespace sensorium::models {

// From a config.json, or the "text_config" of a multimodal one. Throws Error as read_decoder_sizes.
DecoderConfig read_llama_config(const Json& config, const std::string& where);
DecoderConfig read_mistral_config(const Json& config, const std::string& where);

std::unique_ptr<Model> load_llama(const Checkpoint& checkpoint, DType compute);
std::unique_ptr<Model> load_mistral(const Checkpoint& checkpoint, DType compute);

}  // namespace sensorium::models
