// UTF-8: validation, and the split of a byte stream at character boundaries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sensorium {

// Length in bytes of the valid UTF-8 character at the start of `text`, 0 if it is invalid or cut off. Refuses overlong
// forms, surrogates and code points past U+10FFFF (RFC 3629). `code_point` receives the character.
int decode_utf8(std::string_view text, char32_t& code_point);
// Byte offset of the first invalid sequence, or npos if all is valid.
size_t find_invalid_utf8(std::string_view text);
// Replaces every invalid sequence by U+FFFD, as the Unicode standard's "maximal subpart" practice does.
std::string repair_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t code_point);

// Joins byte pieces (tokens) into text that always ends on a character boundary: push() returns what can be shown now
// and keeps an unfinished character for the next call.
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  // What is left at the end, repaired.
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace sensorium
