// Training checkpoints: everything that an exact resume needs. A checkpoint is a folder checkpoints/step-00000120 with
// state.safetensors (parameters and optimizer state, f32) and state.json; it appears under its name only when it is complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "nn/parameter_store.h"
#include "train/optimizer.h"

namespace sensorium::train {

struct CheckpointInfo {
  std::filesystem::path path;
  int64_t step = 0;
};

// Saves after `step` steps and removes all but the newest `keep` checkpoints. `fingerprint` identifies the recipe.
void save_checkpoint(const std::filesystem::path& run, int64_t step, const nn::ParameterStore& store,
                     const AdamW& optimizer, const std::string& fingerprint, int keep = 2);
// The newest complete checkpoint of a run.
std::optional<CheckpointInfo> latest_checkpoint(const std::filesystem::path& run);
// Throws Error: invalid_data (damaged; names the tensor), usage (made by another recipe).
void load_checkpoint(const CheckpointInfo& checkpoint, nn::ParameterStore& store, AdamW& optimizer,
                     const std::string& fingerprint);

}  // namespace sensorium::train
