// The file that ImageBind's authors released: one flat PyTorch state dict, without configuration and tokenizer.
#pragma once

#include <filesystem>
#include <memory>

#include "models/checkpoint/checkpoint.h"

namespace sensorium::models {

// A file that ends in .pth, .pt, .bin or .safetensors, or a folder without config.json that holds one such .pth file.
bool is_original_imagebind(const std::filesystem::path& path);
// Tensors have the names that the file gives them; the configuration is made of their shapes (imagebind_config_of). The tokenizer is
// looked for beside the file and in its folder "bpe": any that text::load_tokenizer knows, for example bpe_simple_vocab_16e6.txt.gz
// of CLIP's and ImageBind's own code. Throws Error as Checkpoint::open; invalid_data for the tensors of another model.
std::unique_ptr<Checkpoint> open_original_imagebind(const std::filesystem::path& path, const LoadOptions& options);

}  // namespace sensorium::models
