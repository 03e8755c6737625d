// Which code points are letters and numbers, and what PCRE2 of Debian 12 lacks of them.
#pragma once

#include <string_view>

namespace sensorium::text {

struct CodePointRange {
  char32_t first, last;
};

#include "text/unicode_classes.inc"

}  // namespace sensorium::text
