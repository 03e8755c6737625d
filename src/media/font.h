// Glyphs of the built-in bitmap font.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace sensorium::media::detail {

// Takes the next character off the UTF-8 `text` and returns its glyph: rows of '#' and '.' of equal length, separated
// by spaces. Empty for a newline.
std::string_view next_glyph(std::string_view& text);

inline int glyph_width(std::string_view glyph) { return static_cast<int>(std::min(glyph.find(' '), glyph.size())); }

}  // namespace sensorium::media::detail
