#include "models/learner.h"

#include <algorithm>

namespace sensorium::models {

bool LearnedConversation::teaches() const {
  return ids.size() > 1 && std::any_of(weights.begin() + 1, weights.end(), [](float weight) { return weight > 0; });
}

}  // namespace sensorium::models
