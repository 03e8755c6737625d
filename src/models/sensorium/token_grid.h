// From an encoder's positions to the decoder's tokens: merge x merge neighbours become one.
#pragma once

#include <cstdint>
#include <vector>

#include "modality/image/encoder.h"

namespace sensorium::models {

// Tokens along a side of so many positions.
inline int64_t merged(int64_t positions, int64_t merge) { return (positions + merge - 1) / merge; }

// [T, merge^2 dim]; `token_offsets` receives the pictures' rows.
inline Tensor merge_tokens(const modality::ImageFeatures& features, int64_t merge,
                           std::vector<int64_t>& token_offsets) {
  ops::Pictures merged;
  Tensor blocks_TC = ops::space_to_depth(features.tokens_TC, features.coarse, merge, merged);
  token_offsets = merged.offsets();
  return blocks_TC;
}

}  // namespace sensorium::models
