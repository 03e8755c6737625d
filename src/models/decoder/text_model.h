// Chat with a decoder alone: the Model of the text-only families.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/checkpoint/checkpoint.h"
#include "models/decoder/decoder.h"
#include "models/decoder/prompt.h"
#include "models/model.h"

namespace sensorium::models {

// Loads a checkpoint whose configuration `read_config` understands. Throws Error that names the file and what is missing,
// unexpected or of the wrong shape.
std::unique_ptr<Model> load_text_model(const Checkpoint& checkpoint, DType compute,
                                       DecoderConfig (*read_config)(const Json& config, const std::string& where));

// For describe(): what people want to know of a decoder.
OrderedJson describe_decoder(const DecoderConfig& config);
// Tokens that a session holds: the context, but not more than an answer of 4096 tokens needs, since memory is taken for them.
int64_t session_capacity(const DecoderConfig& config, int64_t prompt_tokens);
// Bytes of the keys and values of such a session.
int64_t cache_bytes(const DecoderConfig& config, DType dtype);
// The tokens that end an answer: the checkpoint's, and the built-in template's. Throws Error(invalid_data) if the tokenizer
// is another model's: more tokens than the embedding has rows, fewer than half as many, or an end that is an ordinary token.
std::vector<int32_t> read_end_tokens(const Checkpoint& checkpoint, const text::Tokenizer& tokenizer,
                                     const ChatPromptWriter& prompts, const DecoderConfig& config);

}  // namespace sensorium::models
