// What the readers of a tokenizer.json share, whatever its model is. Each throws Error: invalid_data, unsupported, limit.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "text/pipeline_tokenizer.h"
#include "text/vocab.h"

namespace sensorium::text {

// The most bytes of a token, and the greatest id.
inline constexpr size_t kMaxTokenBytes = 1 << 16;
inline constexpr int64_t kMaxTokenId = (1 << 22) - 1;

// The member "model" of a file of the version that is known.
const Json& model_of(const Json& json);
// "BPE", "Unigram", ...
std::string model_type(const Json& model);
// Everything but the model.
PipelineParts parse_pipeline(const Json& json, const Vocab& vocab);

// A file whose model is "Unigram".
std::unique_ptr<Tokenizer> make_unigram_tokenizer(const Json& json);

}  // namespace sensorium::text
