// Post-processors of tokenizer.json: the tokens that a model wants around a text.
// Supported: TemplateProcessing (single texts), RobertaProcessing, BertProcessing, ByteLevel (no effect on ids),
// Sequence.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"

namespace sensorium::text {

struct AffixIds {
  std::vector<int32_t> before, after;
};

// Throws Error: unsupported (names the type, or a template that repeats or omits the text), invalid_data.
AffixIds parse_post_processor(const Json& json, int depth = 0);

}  // namespace sensorium::text
