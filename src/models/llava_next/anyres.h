// The arithmetic of LLaVA-NeXT's tiling ("anyres"): which grid of views a picture gets, and which of their rows show the picture.
// The reference is the port in transformers 5 (pinpoints are height, width; the original repository reads them the other way
// round, which matters for ties only).
#pragma once

#include <cstdint>
#include <vector>

#include "modality/image/resize_map.h"

namespace sensorium::models {

using modality::Extent;

// The pinpoint that shows most of the picture's own pixels, then wastes least; the earliest of equals. Throws Error(usage) for
// pictures so thin that they vanish in all of them.
Extent best_pinpoint(Extent picture, const std::vector<Extent>& pinpoints);
// The largest size with the picture's proportions that fits into `target`.
Extent fit_into(Extent picture, Extent target);

// The middle part of a grid of features that the picture covers; the rest is the border that was added around it.
struct Window {
  int64_t top = 0, bottom = 0, left = 0, right = 0;  // rows top..bottom, columns left..right, ends excluded
  int64_t rows() const { return bottom - top; }
  int64_t columns() const { return right - left; }
};
// How the reference makes an integer of the covered length. The port in transformers lifts floating point noise below an
// integer to it; the original repository cuts it off.
enum class Rounding : uint8_t { lifted, down };
Window unpadded(Extent grid, Extent picture, Rounding rounding = Rounding::lifted);

}  // namespace sensorium::models
