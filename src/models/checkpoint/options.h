// How a model is opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace sensorium::models {

struct LoadOptions {
  DType compute = DType::bf16;    // of the activations: f32 or bf16
  std::filesystem::path tower;    // folder of the vision tower, for layouts that keep it apart; "": looked for
  std::filesystem::path mmproj;   // GGUF file of vision tower and projector; "": looked for beside the model
  std::filesystem::path adapter;  // folder of a PEFT adapter whose changes the weights get; "": none
  std::string chat_template;      // name of a built-in one, or a file; "": the checkpoint's own
  int64_t memory_limit = 0;       // bytes that weights and caches may take; 0: what the machine has
  // Patterns of parameters (nn::ParameterStore::set_trainable) that training will change: they get f32 values of their own.
  std::vector<std::string> trained;
  int64_t listed_faults = 5;  // an error about tensors names so many of each kind
};

}  // namespace sensorium::models
