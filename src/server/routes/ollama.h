// Ollama's API, for the tools that speak nothing else.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kOllamaChatFields = std::to_array<Field>({
    {"model", kString, true, "a name of GET /api/tags"},
    {"messages", kArray, true, "[{role, content, images: [base64]}]"},
    {"stream", kBoolean, false, "a line of JSON for every piece; true unless said otherwise"},
    {"format", kString | kObject, false, "\"json\", or a JSON schema"},
    {"options", kObject, false,
     "{temperature, top_p, top_k, min_p, seed, stop, num_predict, repeat_penalty, presence_penalty, "
     "frequency_penalty}"},
    {"tools", kArray, false, "as in OpenAI's chat"},
});
inline constexpr std::array kOllamaGenerateFields = std::to_array<Field>({
    {"model", kString, true, "a name of GET /api/tags"},
    {"prompt", kString, false, "what a user says"},
    {"raw", kBoolean, false,
     "true: the prompt is gone on with as it stands, as in /v1/completions; without system and images then"},
    {"system", kString, false, "what the model is told before"},
    {"images", kArray, false, "pictures in base64"},
    {"stream", kBoolean, false, "as in /api/chat"},
    {"format", kString | kObject, false, "as in /api/chat"},
    {"options", kObject, false, "as in /api/chat"},
});

void ollama_chat(Call& call);
void ollama_generate(Call& call);
void ollama_tags(Call& call);
void ollama_version(Call& call);

}  // namespace sensorium::server
