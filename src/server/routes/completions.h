// POST /v1/completions, the older API: a text is gone on with, without roles.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kCompletionFields = std::to_array<Field>({
    {"model", kString, true, "as in a chat"},
    {"prompt", kString | kArray, true,
     "a text that the model goes on with as it stands: no chat template is put around it, names of control tokens in "
     "it are "
     "those tokens, and the token that begins a text stands in front; or token ids, which are taken as they are; or a "
     "list "
     "of such, gone on with one by one"},
    {"stream", kBoolean, false, "as in a chat; of one prompt"},
    {"stream_options", kObject, false, "as in a chat"},
    {"max_tokens", kInteger, false, "longest answer"},
    {"temperature", kNumber, false, "as in a chat, like top_p, top_k, min_p, the penalties, logit_bias, stop, seed"},
    {"n", kInteger, false, "answers to each prompt, 1..16"},
    {"echo", kBoolean, false, "the answer begins with the prompt"},
    {"logprobs", kInteger, false, "log-probabilities of the tokens, and of so many alternatives, 0..20"},
});

void completions(Call& call);

}  // namespace sensorium::server
