// Writing as pen strokes: handwritten digits in several ways of writing each, and a stroke font of Latin letters.
#pragma once

#include <string_view>
#include <vector>

#include "base/rng.h"
#include "data/world/raster.h"

namespace sensorium::data {

using Strokes = std::vector<std::vector<Vec2>>;

// One way of writing `digit` (0..9), every control point moved by about `wobble` of the height, in the unit box (y
// down).
Strokes handwritten_digit(int digit, float wobble, Rng& rng);

// A line of text (A-Z, a-z, space; other characters are skipped): cap height 1, baseline at y = 1, the first letter at
// x = 0. `spacing` between letters in cap heights; `wobble` as above, 0 for print.
Strokes write_line(std::string_view text, float spacing, float wobble, Rng& rng);

}  // namespace sensorium::data
