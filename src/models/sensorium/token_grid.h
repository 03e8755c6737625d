// From an encoder's positions to the decoder's tokens: merge x merge neighbours become one.
#pragma once

#include <cstdint>
#include <vector>

#include "modality/image/encoder.h"

namespace sensorium::models {

// Tokens along a side of so many pixels: four convolutions of stride 2 and padding 1 round up, and so does the merge.
inline int64_t merged_side(int64_t pixels, int64_t merge) {
  for (int i = 0; i < 4; ++i) pixels = (pixels + 1) / 2;
  return (pixels + merge - 1) / merge;
}

// [T, merge^2 dim]; `token_offsets` receives the pictures' rows.
inline Tensor merge_tokens(const modality::ImageFeatures& features, int64_t merge,
                           std::vector<int64_t>& token_offsets) {
  ops::Pictures merged;
  Tensor blocks_TC = ops::space_to_depth(features.tokens_TC, features.coarse, merge, merged);
  token_offsets = merged.offsets();
  return blocks_TC;
}

}  // namespace sensorium::models
