// A published checkpoint with other values for some of its tensors: what training made of it.
#pragma once

#include <memory>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/weights.h"
#include "nn/parameter_store.h"

namespace sensorium::models {

// `base` with the values of the store's parameters that train, under the names and in the dtypes of its files; a matrix that the
// files have packed becomes bf16. `names` says where the files have what. Both must outlive the result.
std::unique_ptr<Checkpoint> with_trained(const Checkpoint& base, const CheckpointWeights& names,
                                         const nn::ParameterStore& store);

}  // namespace sensorium::models
