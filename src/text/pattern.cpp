#include "text/pattern.h"

#include "text/component.h"

namespace sensorium::text {

Pattern Pattern::parse(const Json& json) {
  Pattern pattern;
  if (find_member(json, "Regex") != nullptr) {
    pattern.source_ = get_string(json, "Regex");
    pattern.regex_.emplace(pattern.source_);
  } else {
    pattern.source_ = get_string(json, "String");
    require(!pattern.source_.empty(), ErrorKind::unsupported, "an empty string as a pattern is not supported");
  }
  return pattern;
}

void Pattern::find_all(std::string_view text, const std::function<void(Span)>& found) const {
  if (regex_) return regex_->find_all(text, found);
  for (size_t at = text.find(source_); at != std::string_view::npos; at = text.find(source_, at + source_.size())) {
    found({at, at + source_.size()});
  }
}

std::string Pattern::replace_all(std::string_view text, std::string_view replacement) const {
  std::string out;
  out.reserve(text.size());
  size_t copied = 0;
  find_all(text, [&](Span match) {
    out += text.substr(copied, match.begin - copied);
    out += replacement;
    copied = match.end;
  });
  out += text.substr(copied);
  return out;
}

}  // namespace sensorium::text
