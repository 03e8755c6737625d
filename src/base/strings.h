// Small things that std::string lacks.
#pragma once

#include <string>
#include <string_view>

namespace sensorium {

// Every `from` (not empty), from left to right, by `to`.
inline std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t copied = 0;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, copied)) {
    out += text.substr(copied, at - copied);
    out += to;
    copied = at + from.size();
  }
  out += text.substr(copied);
  return out;
}

}  // namespace sensorium
