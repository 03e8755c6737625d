// A part of a text.
#pragma once

#include <cstddef>

namespace sensorium::text {

// Bytes begin..end-1.
struct Span {
  size_t begin = 0, end = 0;
  bool operator==(const Span&) const = default;
};

}  // namespace sensorium::text
