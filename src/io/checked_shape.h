// Shapes out of untrusted files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace sensorium::io {

// The shape, if every extent is at most 2^40 and their product, with 1 in place of each 0, at most 2^48: sums and
// products of its sizes in bytes then never wrap, and a zero hides no extent that no memory can have. The caller has
// checked the rank (Shape::kMaxRank).
inline std::optional<Shape> checked_shape(std::span<const uint64_t> extents) {
  uint64_t product = 1;
  std::vector<int64_t> dims;
  for (const uint64_t extent : extents) {
    if (extent > uint64_t{1} << 40) return {};
    if (__builtin_mul_overflow(product, std::max<uint64_t>(extent, 1), &product)) return {};
    if (product > uint64_t{1} << 48) return {};
    dims.push_back(static_cast<int64_t>(extent));
  }
  return Shape(dims);
}

}  // namespace sensorium::io
