// Loading in two steps, for callers that need to know what a checkpoint holds before its weights are there.
#pragma once

#include <memory>

#include "models/checkpoint/checkpoint.h"
#include "models/model.h"

namespace sensorium::models {

// Throws Error(unsupported): a model_type that no family has.
const ModelFamily& family_of(const Checkpoint& checkpoint);
// What load_model makes of its path; the checkpoint is not needed afterwards.
std::unique_ptr<Model> load_model(const Checkpoint& checkpoint);

}  // namespace sensorium::models
