// The model that a run starts with: a new one with a tokenizer of its own, or one to go on from.
#pragma once

#include <memory>
#include <string>

#include "models/sensorium/model.h"
#include "train/mixture.h"

namespace sensorium::train {

struct BuiltModel {
  std::unique_ptr<models::SensoriumModel> model;
  std::string tokenizer_json;
};

// Labels and objects are those of the mixtures' pictures, beside those that the model to go on from knows. Throws Error: usage
// (sizes in the recipe that are none), not_found, invalid_data (the folder in `init`; names file and tensor).
BuiltModel build_model(const Recipe& recipe, const Mixtures& mixtures);

}  // namespace sensorium::train
