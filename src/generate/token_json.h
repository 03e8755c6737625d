// Log-probabilities of tokens as OpenAI's API writes them.
#pragma once

#include "base/json.h"
#include "generate/sampler.h"
#include "text/tokenizer.h"

namespace sensorium::generate {

// {"token", "id", "logprob", "bytes", "top_logprobs": [{the same}]}. A token may be a part of a character: "bytes" are exact.
OrderedJson token_json(const TokenLogProbabilities& token, const text::Tokenizer& tokenizer);

}  // namespace sensorium::generate
