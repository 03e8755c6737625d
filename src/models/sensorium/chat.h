// Conversations with the native model.
#pragma once

#include <memory>

#include "models/checkpoint/checkpoint.h"
#include "models/model.h"
#include "models/sensorium/model.h"

namespace sensorium::models {

// The `load` of the family's line in the table.
std::unique_ptr<Model> load_sensorium(const Checkpoint& checkpoint, DType compute);
// The family's read_film: the pictures as the sense of films takes them, and the sound.
std::vector<ChatPart> watch_film(const std::filesystem::path& path, const media::FfmpegLimits& limits);
// A Model around one in memory (a trainer's, a test's), which must outlive it.
std::unique_ptr<Model> wrap_sensorium(const SensoriumModel& model, DType compute);

}  // namespace sensorium::models
