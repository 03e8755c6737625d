// A checkpoint of any layout as a folder in Hugging Face's layout, which transformers loads.
#pragma once

#include <filesystem>
#include <optional>

#include "models/checkpoint/checkpoint.h"

namespace sensorium::models {

// Writes config.json, the tokenizer's files, the chat template, the image processor and model.safetensors into `folder`, which is
// there. Float tensors become `dtype`; without it they stay as they are (those of GGUF's block types become f32). One tensor is in
// memory at a time. Throws Error: unsupported (stretched positions that transformers has no name for, a LLaVA model whose
// vocabulary has no token for pictures), io, and what reading throws.
void write_huggingface(const Checkpoint& checkpoint, const std::filesystem::path& folder, std::optional<DType> dtype);

}  // namespace sensorium::models
