// Gemini's API: /v1beta/models/{model}:generateContent and its neighbours. Names of members are read as camelCase and
// snake_case.
#pragma once

#include <array>

#include "server/routes/route.h"
#include "server/scheduling/model_pool.h"

namespace sensorium::server {

inline constexpr std::array kGeminiFields = std::to_array<Field>({
    {"contents", kArray | kObject | kString, true,
     "[{role: user | model, parts}]; parts text, inlineData {mimeType, data}, fileData {fileUri}, functionCall, "
     "functionResponse"},
    {"systemInstruction", kObject | kString, false, "what the model is told before: {parts}"},
    {"generationConfig", kObject, false,
     "{temperature, topP, topK, candidateCount, maxOutputTokens, stopSequences, seed, presencePenalty, "
     "frequencyPenalty, "
     "responseMimeType, responseSchema, responseJsonSchema, responseModalities (TEXT), responseLogprobs, logprobs}"},
    {"tools", kArray, false, "[{functionDeclarations: [{name, description, parameters}]}]"},
    {"toolConfig", kObject, false, "{functionCallingConfig: {mode: AUTO | ANY | NONE, allowedFunctionNames}}"},
});
inline constexpr std::array kGeminiCountFields = std::to_array<Field>({
    {"contents", kArray | kObject | kString, false, "as in generateContent"},
    {"generateContentRequest", kObject, false, "a whole request instead"},
});

void gemini_generate(Call& call);
// A list of responses, or with ?alt=sse server-sent events.
void gemini_stream(Call& call);
void gemini_count(Call& call);
// A model as this API describes it.
OrderedJson gemini_model_json(const ModelPool& pool, const std::string& name);
void gemini_models(Call& call);
void gemini_model(Call& call);

}  // namespace sensorium::server
