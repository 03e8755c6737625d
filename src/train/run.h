// From a recipe to a trained model in a folder.
#pragma once

#include <filesystem>

#include "train/recipe.h"

namespace sensorium::train {

struct RunSummary {
  std::filesystem::path out, model;  // the run's folder, and the model's inside it
  int64_t steps = 0;
  double loss = 0;  // of the last step
  // Conversations and texts of this call, and how many of them were left out because they are longer than the context.
  int64_t sequences = 0, too_long = 0;
};

// Builds or loads the model, trains it by the recipe, and writes <out>/model at every checkpoint. Throws what the parts throw.
RunSummary run_recipe(const Recipe& recipe);

}  // namespace sensorium::train
