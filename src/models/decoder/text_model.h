// Chat with a decoder alone: the Model of the text-only families.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "models/decoder/decoder.h"
#include "models/model.h"

namespace sensorium::models {

// Loads a folder whose config.json `read_config` understands. Throws Error that names the file and what is missing, unexpected
// or of the wrong shape.
std::unique_ptr<Model> load_text_model(const std::filesystem::path& directory, DType compute,
                                       DecoderConfig (*read_config)(const Json& config, const std::string& where));

// For describe(): what people want to know of a decoder.
OrderedJson describe_decoder(const DecoderConfig& config);
// Tokens that a session holds: the context, but not more than an answer of 4096 tokens needs, since memory is taken for them.
int64_t session_capacity(const DecoderConfig& config, int64_t prompt_tokens);
// Throws Error(invalid_data) if the tokenizer has more tokens than the model has rows for.
void check_vocabulary(const text::Tokenizer& tokenizer, const DecoderConfig& config, const std::string& where);

}  // namespace sensorium::models
