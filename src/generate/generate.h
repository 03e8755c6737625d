// Step-by-step generation of an answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "generate/sampler.h"
#include "models/model.h"

namespace sensorium::generate {

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 256;
};

enum class StopReason : uint8_t { end, length, interrupted };
struct Generated {
  models::ChatAnswer answer;
  std::vector<int32_t> tokens;  // without the end token
  StopReason stop = StopReason::end;
};

// Runs the session to the end of its answer. `on_text` receives pieces of the answer that end on UTF-8 character
// boundaries, as soon as they are known.
Generated generate(models::ChatSession& session, const text::Tokenizer& tokenizer, const GenerateOptions& options,
                   const std::function<void(std::string_view)>& on_text = {});

}  // namespace sensorium::generate
