// Lessons as conversations, for models that learn from nothing else.
#pragma once

#include <vector>

#include "base/rng.h"
#include "models/model.h"
#include "train/lesson.h"

namespace sensorium::train {

// Conversations stay as they are. Of other records the picture comes first, then every question with its answer; captions answer
// a request to describe the picture. `rng` chooses its words. Throws Error(usage) that names the record for one that says nothing
// (running text, a label or boxes alone).
std::vector<models::ChatMessage> dialogue_of(const Lesson& lesson, Rng& rng);

}  // namespace sensorium::train
