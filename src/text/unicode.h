// Unicode properties and normalisation, as far as tokenizers ask for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sensorium::text {

// The four classes that the pre-tokenizer patterns of GPT-2 and its successors tell apart: \p{L}, \p{N}, \s, the rest.
enum class CharClass : uint8_t { other, letter, number, space };

CharClass char_class(char32_t character);

bool is_white_space(char32_t character);  // White_Space, = \s
// What Python's str methods and its \s call white space: White_Space, and the separators U+001C..U+001F.
inline bool is_python_space(char32_t character) {
  return is_white_space(character) || (character >= 0x1C && character <= 0x1F);
}
bool is_word(char32_t character);         // \w of Rust's regex: Alphabetic, M, Nd, Pc, Join_Control
bool is_punctuation(char32_t character);  // ASCII punctuation and symbols, and category P

// Reads the character at `text[i]` of valid UTF-8 and moves `i` past it.
inline char32_t next_char(std::string_view text, size_t& i) {
  const auto byte = [&](size_t k) { return static_cast<char32_t>(static_cast<unsigned char>(text[k])); };
  const char32_t first = byte(i);
  if (first < 0x80) return i += 1, first;
  if (first < 0xE0) return i += 2, (first & 0x1F) << 6 | (byte(i - 1) & 0x3F);
  if (first < 0xF0) return i += 3, (first & 0xF) << 12 | (byte(i - 2) & 0x3F) << 6 | (byte(i - 1) & 0x3F);
  return i += 4, (first & 7) << 18 | (byte(i - 3) & 0x3F) << 12 | (byte(i - 2) & 0x3F) << 6 | (byte(i - 1) & 0x3F);
}

// Start of the character that ends at `end` > 0 of valid UTF-8.
inline size_t previous_char(std::string_view text, size_t end) {
  do --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

enum class NormalForm { nfc, nfd, nfkc, nfkd };

// `text` must be valid UTF-8. Throws Error(limit) when out of memory. The forms are those of Unicode 15; the
// reference's are of Unicode 9 and leave characters alone that were assigned since.
std::string normalize(std::string_view text, NormalForm form);
// The full, context-free mapping of each character.
std::string lowercase(std::string_view text);

bool is_ascii(std::string_view text);
// The same as find_invalid_utf8() == npos, several times faster where most of the text is ASCII.
bool is_valid_utf8(std::string_view text);

}  // namespace sensorium::text
