// Regular expressions of tokenizer files, which are written for Oniguruma (Ruby syntax), run by PCRE2.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/span.h"

namespace sensorium::text {

// Thread-safe: the compiled pattern is constant.
class Regex {
 public:
  // Throws Error: invalid_data for a pattern that does not compile, unsupported for a construct that the two engines
  // read differently and that is not translated.
  explicit Regex(std::string_view pattern);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  const std::string& pattern() const { return pattern_; }

  // Every match from left to right, empty ones too, as the reference finds them (none in an empty text).
  // `text` must be valid UTF-8.
  // Throws Error(limit) when the pattern needs too many steps on this text.
  void find_all(std::string_view text, const std::function<void(Span)>& found) const;

 private:
  struct Compiled;
  std::string pattern_;
  std::unique_ptr<Compiled> compiled_;
};

// The pattern in PCRE2's syntax. What differs: \s, \w, \h and \b (other sets of characters), characters that Unicode
// gained after PCRE2's version, scripts, and "{n,m}+", which Oniguruma does not read as possessive.
std::string translate_oniguruma(std::string_view pattern);

}  // namespace sensorium::text
