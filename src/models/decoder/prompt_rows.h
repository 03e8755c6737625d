// A prompt as a decoder reads it, and the names under which its parts are found again in the cache of keys and values.
#pragma once

#include <cstdint>
#include <vector>

#include "base/sha256.h"
#include "models/decoder/cross_layer.h"
#include "nn/kv_pool.h"
#include "tensor/tensor.h"

namespace sensorium::models {

// Rows that stand for a picture.
struct PictureRows {
  int64_t begin = 0, end = 0;  // of the prompt's rows
  Sha256Digest content{};      // of the picture
};

struct PromptRows {
  Tensor x_TC;                             // [T, dim], embedded
  std::vector<int32_t> tokens;             // T token ids; -1 in the rows of pictures
  std::vector<PictureRows> pictures = {};  // in order
  // For a decoder with cross-attention layers: what it reads beside the prompt. Each medium has a place in it, a picture of one row,
  // so that its content counts in the keys of the blocks behind it.
  Tensor media_SC = {};
  std::vector<MediumSpan> media = {};
};

// The keys of the prompt's beginnings: of its first nn::KvLayout::kKeyTokens rows, of twice as many, and so on; tokens count by their
// ids, pictures by their content. Throws Error(shape) if rows without a token are no picture's.
std::vector<nn::KvKey> prompt_keys(const PromptRows& prompt);

}  // namespace sensorium::models
