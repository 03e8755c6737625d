// The printable stand-ins for bytes in the files of byte-level tokenizers: "Ġthe" is " the".
// Source: GPT-2's bytes_to_unicode (Radford et al. 2019): a byte that is a printable Latin-1 character stands for
// itself, the 68 others, in order, are the characters from U+0100 on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sensorium::text {

char32_t byte_to_char(uint8_t byte);
// The byte that a character stands for, -1 if it stands for none.
int char_to_byte(char32_t character);

// Each byte of `bytes` as its character.
std::string to_byte_alphabet(std::string_view bytes);
// The bytes that `text` stands for; false if a character stands for none.
bool from_byte_alphabet(std::string_view text, std::string& bytes);

}  // namespace sensorium::text
