// The metadata of GGUF files as configurations of Hugging Face's layout. Source: the GGUF specification (keys of the
// architectures "llama" and "qwen2") and clip.cpp of llama.cpp ("clip.*").
#pragma once

#include <string>

#include "base/json.h"
#include "io/gguf.h"

namespace sensorium::models {

// Of a language model: with "model_type" llama or qwen2. Throws Error with `where`: invalid_data (a key that is missing or
// of another type), unsupported (an architecture, experts, rotary positions on a part of a head).
Json gguf_decoder_config(const io::GgufFile& file, const std::string& where);

// Of a LLaVA model, "llava" or "llava_next", from the file of vision tower and projector ("mmproj"). Throws Error as above;
// unsupported also for a projector that is no "mlp".
Json gguf_llava_config(const Json& decoder, const io::GgufFile& vision, const std::string& where);
// Its image processor: as the original LLaVA prepares pictures, which these files were made for.
Json gguf_image_processor(const io::GgufFile& vision, const std::string& where);

// Whether the file is one of vision tower and projector.
bool is_gguf_vision(const io::GgufFile& file);
// Whether the two matrices of the tower's MLP stand under each other's names, as the first converters wrote them.
bool has_swapped_mlp(const io::GgufFile& vision);

}  // namespace sensorium::models
