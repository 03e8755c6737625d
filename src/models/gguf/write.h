// A checkpoint as GGUF files, as llama.cpp's converters write them: model.gguf, and for LLaVA mmproj.gguf with the vision tower
// and the projector. Source: the GGUF specification, the converters of llama.cpp and its clip.cpp.
#pragma once

#include <filesystem>
#include <optional>

#include "io/gguf_types.h"
#include "models/checkpoint/checkpoint.h"

namespace sensorium::models {

// Writes into `folder`, which is there. Matrices become `type`, or stay as they are without it; a matrix whose rows are no
// whole number of blocks gets the nearest type that fits, as llama.cpp does (Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0, then f16).
// Vectors and position embeddings are f32; of the second file Q8_0 is the smallest type of a matrix. One tensor is in memory at
// a time. Left out are tensors that the model never reads: the tower's blocks behind the state that goes to the projector, its
// last norm, tied output embeddings. The tokenizer is read from the checkpoint's folder. Throws Error: unsupported (a family,
// tower or tokenizer that the format cannot express), invalid_data (a tensor that is missing or unexpected), io.
void write_gguf_model(const Checkpoint& checkpoint, const std::filesystem::path& folder,
                      std::optional<io::GgufType> type);

}  // namespace sensorium::models
