// POST /v1/responses, OpenAI's newer API.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kResponsesFields = std::to_array<Field>({
    {"model", kString, true, "as in a chat"},
    {"input", kString | kArray, true,
     "a text, or a list of items: messages ({role, content}), function_call, function_call_output; content parts "
     "input_text, input_image (image_url or file_id), input_file"},
    {"instructions", kString, false, "what the model is told before"},
    {"stream", kBoolean, false, "answer in pieces, as named events"},
    {"max_output_tokens", kInteger, false, "longest answer"},
    {"temperature", kNumber, false, "as in a chat, like top_p, top_k, min_p, seed"},
    {"text", kObject, false, "{format: {type: text | json_object | json_schema, schema}}"},
    {"tools", kArray, false, "[{type: function, name, description, parameters}]"},
    {"tool_choice", kString | kObject, false, "none, auto, required, or {type: function, name}"},
    {"previous_response_id", kString, false, "refused: this server keeps no responses; send the conversation as input"},
});

void responses(Call& call);

}  // namespace sensorium::server
