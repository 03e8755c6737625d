// POST /v1/chat/completions.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kChatFields = std::to_array<Field>({
    {"model", kString, true, "a name of GET /v1/models; \"default\" is the first"},
    {"messages", kArray, true,
     "[{role, content}]; roles system, developer, user, assistant, tool; content a text or a list of parts: text, "
     "image_url (data URL; http(s) only from allowed hosts), input_audio, video_url, file (file_id or file_data)"},
    {"stream", kBoolean, false, "answer in pieces, as server-sent events"},
    {"stream_options", kObject, false, "{include_usage}: a last event with the counts of tokens"},
    {"max_completion_tokens", kInteger, false, "longest answer"},
    {"max_tokens", kInteger, false, "the older name of max_completion_tokens"},
    {"temperature", kNumber, false, "0: always the likeliest token, which is this server's default"},
    {"top_p", kNumber, false, "sample from the likeliest tokens of this total probability"},
    {"top_k", kInteger, false, "sample from this many tokens; 0: all (an extension)"},
    {"min_p", kNumber, false, "sample from tokens at least this times as likely as the likeliest (an extension)"},
    {"repetition_penalty", kNumber, false, "above 1: tokens that have come become less likely (an extension)"},
    {"frequency_penalty", kNumber, false, "-2..2"},
    {"presence_penalty", kNumber, false, "-2..2"},
    {"logit_bias", kObject, false, "{token id: -100..100}"},
    {"stop", kString | kArray, false, "texts before which the answer ends"},
    {"seed", kInteger, false, "the same seed gives the same answer"},
    {"n", kInteger, false, "answers, 1..16"},
    {"logprobs", kBoolean, false, "log-probabilities of the answer's tokens"},
    {"top_logprobs", kInteger, false, "and of so many alternatives, 0..20"},
    {"modalities", kArray, false, "[text]; sound needs a model that speaks"},
    {"response_format", kObject, false, "{type: text | json_object | json_schema, json_schema: {schema}}"},
    {"tools", kArray, false, "[{type: function, function: {name, description, parameters}}]"},
    {"sensorium", kObject, false,
     "{heat: true}: the message, or the last delta, has sensorium.heat, maps of where in the pictures the answer was "
     "found (an extension)"},
    {"tool_choice", kString | kObject, false, "none, auto, required, or {type: function, function: {name}}"},
});

void chat_completions(Call& call);

}  // namespace sensorium::server
