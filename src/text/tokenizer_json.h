// Hugging Face's tokenizer.json: read with a model of type BPE or Unigram, written with BPE.
// Reference behaviour: the Python package `tokenizers` 0.23. "truncation" and "padding" are passed over, as its callers
// set them per call.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "text/bpe_tokenizer.h"

namespace sensorium::text {

// Errors: invalid_data (not a tokenizer.json, or it contradicts itself), unsupported (names the component), limit.
Result<std::unique_ptr<BpeTokenizer>> parse_tokenizer_json(std::string_view json);
Result<std::unique_ptr<BpeTokenizer>> tokenizer_from_json(const Json& json);
// The same with any model.
Result<std::unique_ptr<Tokenizer>> any_from_json(const Json& json);
// A file with any model; also not_found and io.
Result<std::unique_ptr<Tokenizer>> read_tokenizer_json(const std::filesystem::path& path);

// A file that the reference loads with the same results.
std::string to_tokenizer_json(const BpeTokenizer& tokenizer);
// Written atomically. Throws Error(io).
void write_tokenizer_json(const BpeTokenizer& tokenizer, const std::filesystem::path& path);

}  // namespace sensorium::text
