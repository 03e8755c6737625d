// POST /v1/embeddings.
#pragma once

#include <array>

#include "server/routes/route.h"

namespace sensorium::server {

inline constexpr std::array kEmbeddingFields = std::to_array<Field>({
    {"model", kString, true, "a name of GET /v1/models whose model has a joint space (ImageBind, CLIP, SigLIP)"},
    {"input", kString | kArray | kObject, true,
     "a text or a list of texts; as an extension, in the place of a text a part of a message (image_url, input_audio, "
     "video_url, "
     "file; with sense: thermal a picture of heat) or {content: [parts]}, whose vectors are joined into one"},
    {"dimensions", kInteger, false, "so many of a vector's first numbers, made one long again"},
    {"encoding_format", kString, false, "float, or base64 of f32 in little-endian order"},
});

void embeddings(Call& call);

}  // namespace sensorium::server
