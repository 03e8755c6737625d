// Conversations with the native model.
#pragma once

#include <memory>

#include "models/checkpoint/checkpoint.h"
#include "models/model.h"
#include "models/sensorium/model.h"

namespace sensorium::models {

// The `load` of the family's line in the table.
std::unique_ptr<Model> load_sensorium(const Checkpoint& checkpoint, DType compute);
// The same interface around a model in memory (a trainer's, a test's), which must outlive it.
std::unique_ptr<Model> wrap_sensorium(const SensoriumModel& model, DType compute);

}  // namespace sensorium::models
