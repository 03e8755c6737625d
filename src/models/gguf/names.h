// What differs between a checkpoint in GGUF and in Hugging Face's layout beside the file format: the names of the tensors,
// and the order of some rows. Source: gguf-py's tensor_mapping.py and the converters of llama.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "models/checkpoint/names.h"
#include "tensor/tensor.h"

namespace sensorium::models {

// `ours`: Hugging Face's names, of a text model ("model.layers.*", "lm_head"); `theirs`: GGUF's.
std::span<const NamePair> gguf_decoder_names();
// Vision tower, projector and newline of a LLaVA model ("vision_tower.vision_model.", "multi_modal_projector.").
std::span<const NamePair> gguf_vision_names();

// llama.cpp rotates neighbouring pairs of a head's components, transformers its two halves. For the architecture "llama"
// the converters therefore write the rows of query and key matrices (and biases) in another order; those of "qwen2" stay.
enum class HeadRows : uint8_t { halves, pairs };
// Where row `row` of the order `to` stands in the other one; `size` rows a head.
int64_t source_row(int64_t row, int64_t size, HeadRows to);
// Rows [heads * D, ...] in the order `to`, from the other one; a copy. Throws Error(shape) if the rows are no `heads` heads
// of an even size.
Tensor reorder_head_rows(const Tensor& weight, int64_t heads, HeadRows to);

}  // namespace sensorium::models
