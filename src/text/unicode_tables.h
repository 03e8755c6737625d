// Which code points are letters and numbers, and what PCRE2 of Debian 12 lacks of some properties.
#pragma once

#include <string_view>

namespace sensorium::text {

struct CodePointRange {
  char32_t first, last;
};

// A general category or script, and the code points that joined it after Unicode 14 as the inside of a character class.
struct GrownProperty {
  std::string_view name, newer;
};

#include "text/unicode_classes.inc"

}  // namespace sensorium::text
