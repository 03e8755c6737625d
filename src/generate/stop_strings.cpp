#include "generate/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace sensorium::generate {

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  require(strings_.size() <= kMost, ErrorKind::usage, "{} stop strings are more than {}", strings_.size(), kMost);
  for (const std::string& string : strings_) {
    require(!string.empty(), ErrorKind::usage, "a stop string is empty");
    require(string.size() <= kMostBytes, ErrorKind::usage, "a stop string of {} bytes is longer than {}", string.size(),
            kMostBytes);
  }
}

std::string StopStrings::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  // The one that ends first; of those that end together, the one that begins first.
  size_t begin = std::string::npos, end = std::string::npos;
  for (const std::string& string : strings_) {
    const size_t at = held_.find(string);
    if (at == std::string::npos) continue;
    if (at + string.size() < end || (at + string.size() == end && at < begin)) begin = at, end = at + string.size();
  }
  if (begin != std::string::npos) {
    stopped_ = true;
    held_.resize(begin);
    return std::exchange(held_, {});
  }
  // The longest end of the text with which a stop string begins.
  size_t keep = 0;
  for (const std::string& string : strings_) {
    for (size_t length = std::min(string.size() - 1, held_.size()); length > keep; --length) {
      if (held_.compare(held_.size() - length, length, string, 0, length) == 0) keep = length;
    }
  }
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace sensorium::generate
