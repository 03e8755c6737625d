// What else a folder in Hugging Face's layout says about its model.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "kernels/elementwise.h"
#include "text/tokenizer.h"

namespace sensorium::models {

// The folder's config.json, an object. Throws Error: not_found, invalid_data.
Json read_config_json(const std::filesystem::path& directory);

// What a model is called that has no other name.
std::string folder_name(const std::filesystem::path& directory);

// The tokenizer of the folder. Throws Error that names the file.
std::shared_ptr<const text::Tokenizer> read_folder_tokenizer(const std::filesystem::path& directory);

// The tokens that end an answer: "eos_token_id" (a number or a list) of generation_config.json, else of the first of
// `configs` that has one. Throws Error(invalid_data) for ids outside of the vocabulary.
std::vector<int32_t> read_end_tokens(const std::filesystem::path& directory, const std::vector<Json>& configs,
                                     int64_t vocabulary);

// An activation by the name that published configurations give it: gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, silu, relu.
// Throws Error(unsupported) that names `where`.
kernels::Unary read_activation(const std::string& name, const std::string& where);

}  // namespace sensorium::models
