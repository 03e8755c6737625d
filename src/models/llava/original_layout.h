// The layout of the original LLaVA repository (liuhaotian/llava-v1.5-7b and its kin): one config.json for decoder and
// "mm_..." keys, the tokenizer of the decoder, the vision tower in a folder of its own unless it was trained too. LLaVA-NeXT's
// repository, whose models are LLaVA-OneVision (lmms-lab/llava-onevision-qwen2-7b-ov), has it too.
#pragma once

#include <filesystem>
#include <memory>

#include "models/checkpoint/checkpoint.h"

namespace sensorium::models {

// Whether the folder's config.json has "mm_vision_tower".
bool is_original_llava(const std::filesystem::path& folder);

// The tower is looked for as original_tower.h says. Throws Error: not_found (no tower, naming the places), unsupported (a
// projector, merge or aspect ratio that no released model has, naming the key).
std::unique_ptr<Checkpoint> open_original_llava(const std::filesystem::path& folder, const LoadOptions& options);

}  // namespace sensorium::models
