// Answers as JSON, for programs.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "generate/generate.h"

namespace sensorium::cli {

// The answer's own members: "answer", "boxes" ([{label, box [x0, y0, x1, y1] in pixels, score}], with "file" among several
// `files`), "finish_reason" ("stop": the end or a stop string; "length"; "interrupted"), "logprobs" if it has any.
OrderedJson answer_json(const generate::Generated& generated, std::span<const std::string> files,
                        const text::Tokenizer& tokenizer);

}  // namespace sensorium::cli
