// Limits of one run of a template, which comes from a checkpoint and may be hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace sensorium::text::jinja {

struct RenderOptions {
  int64_t max_steps = 5'000'000;        // nodes visited, and 64 bytes of text or one list item made
  size_t max_bytes = size_t{16} << 20;  // of the output, and of any one text
  std::optional<int64_t> now_s;         // for strftime_now(), seconds since 1970 in UTC; else the local time
};

}  // namespace sensorium::text::jinja
