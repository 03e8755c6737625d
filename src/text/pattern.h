// What a Split or Replace component of a tokenizer.json looks for: a string or a regular expression.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "text/regex.h"

namespace sensorium::text {

class Pattern {
 public:
  // {"String": "..."} or {"Regex": "..."}. Throws Error.
  static Pattern parse(const Json& json);

  void find_all(std::string_view text, const std::function<void(Span)>& found) const;
  std::string replace_all(std::string_view text, std::string_view replacement) const;

  bool is_regex() const { return regex_.has_value(); }
  const std::string& source() const { return source_; }

 private:
  std::string source_;
  std::optional<Regex> regex_;
};

}  // namespace sensorium::text
