// A model in GGUF: a file of a language model, with vision tower and projector in a second one ("mmproj") for LLaVA.
#pragma once

#include <filesystem>
#include <memory>

#include "models/checkpoint/checkpoint.h"

namespace sensorium::models {

// A file *.gguf, or a folder without config.json that holds one.
bool is_gguf(const std::filesystem::path& path);

// The file of the language model: the path, or the one *.gguf of a folder. Throws Error: not_found, usage.
std::filesystem::path gguf_model_file(const std::filesystem::path& path);

// The second file is LoadOptions::mmproj, else the one *mmproj*.gguf beside the model. Throws Error: not_found, usage
// (several files to choose from), and as gguf_decoder_config() and gguf_llava_config().
std::unique_ptr<Checkpoint> open_gguf(const std::filesystem::path& path, const LoadOptions& options);

}  // namespace sensorium::models
