// Stop strings: an answer ends before the first of them, and no part of one is ever shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sensorium::generate {

// Follows a text that comes in pieces. How the text is cut into pieces changes nothing.
class StopStrings {
 public:
  static constexpr size_t kMost = 64, kMostBytes = 4096;  // strings, and bytes of each

  StopStrings() = default;
  // Throws Error(usage): an empty string, one longer than kMostBytes, more than kMost.
  explicit StopStrings(std::vector<std::string> strings);

  // The text that may be shown after this piece: all but what is, or may become, a stop string. Of several that end at the
  // same byte the longest counts. After stopped(), nothing more.
  std::string push(std::string_view piece);
  // What was held back in vain.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> strings_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace sensorium::generate
