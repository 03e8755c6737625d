// Choosing the detector's thresholds on data that it was not trained on.
#pragma once

#include <vector>

#include "models/sensorium/model.h"
#include "train/recipe.h"

namespace sensorium::train {

// For every kind of object, sets the threshold in the model's configuration that makes its counts exact for most pictures of the
// validation parts of `sets`; of those that are as good within one standard error, the one whose counts err least (of equal ones the
// middle). Kinds that no validation picture marks keep theirs.
void calibrate_thresholds(models::SensoriumModel& model, const std::vector<SetRecipe>& sets, const Recipe& recipe);

}  // namespace sensorium::train
