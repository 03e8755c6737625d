// What published folders say about their model, read the same way in every layout.
#pragma once

#include <filesystem>
#include <string>

#include "kernels/elementwise.h"

namespace sensorium::models {

// A folder with a config.json.
bool has_config_json(const std::filesystem::path& folder);

// What a model is called that has no other name.
std::string folder_name(const std::filesystem::path& directory);

// An activation by the name that published configurations give it: gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, silu, relu.
// Throws Error(unsupported) that names `where`.
kernels::Unary read_activation(const std::string& name, const std::string& where);

}  // namespace sensorium::models
