// Gemini's embedContent and batchEmbedContents.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kGeminiEmbedFields = std::to_array<Field>({
    {"content", kObject | kString, true,
     "{parts}; parts text, inlineData {mimeType, data}, fileData {fileUri}; several make one vector"},
    {"outputDimensionality", kInteger, false, "so many of a vector's first numbers, made one long again"},
    {"taskType", kString, false, "accepted and without effect, as is title"},
});
inline constexpr std::array kGeminiBatchEmbedFields = std::to_array<Field>({
    {"requests", kArray, true, "[requests of embedContent]"},
});

void gemini_embed(Call& call);
void gemini_batch_embed(Call& call);

}  // namespace sensorium::server
