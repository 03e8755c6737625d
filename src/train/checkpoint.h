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

// Which parameters a checkpoint holds: all, or those that train, where the others come from a model that does not change.
enum class Kept : uint8_t { all, trained };

// Saves after `step` steps and removes all but the newest `keep` checkpoints, and those of later steps (damaged ones that a
// resume passed over). `fingerprint` identifies the recipe. Throws Error: io; numeric, with nothing saved, for a value that is
// not finite.
void save_checkpoint(const std::filesystem::path& run, int64_t step, const nn::ParameterStore& store,
                     const AdamW& optimizer, const std::string& fingerprint, Kept kept = Kept::all, int keep = 2);
// The newest complete checkpoint of a run.
std::optional<CheckpointInfo> latest_checkpoint(const std::filesystem::path& run);
// Throws Error: invalid_data (damaged; names the tensor), usage (made by another recipe).
void load_checkpoint(const CheckpointInfo& checkpoint, nn::ParameterStore& store, AdamW& optimizer,
                     const std::string& fingerprint, Kept kept = Kept::all);
// Loads the newest checkpoint that is whole, and warns of every damaged one that it passes over; none if the run has no
// checkpoint. Throws Error: usage (made by another recipe), invalid_data (none of them is whole).
std::optional<CheckpointInfo> resume(const std::filesystem::path& run, nn::ParameterStore& store, AdamW& optimizer,
                                     const std::string& fingerprint, Kept kept = Kept::all);

}  // namespace sensorium::train
