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

// Runs the session to the end of its answer. `on_text` receives the pieces of the answer's text as soon as they are known,
// each ending on a UTF-8 character boundary.
Generated generate(models::ChatSession& session, const GenerateOptions& options,
                   const std::function<void(std::string_view)>& on_text = {});

}  // namespace sensorium::generate
