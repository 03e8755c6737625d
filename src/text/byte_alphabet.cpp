#include "text/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace sensorium::text {
namespace {

constexpr int kUnprintable = 68;
constexpr char32_t kFirstStandIn = 0x100;

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<uint8_t, kUnprintable> make_unprintable() {
  std::array<uint8_t, kUnprintable> bytes{};
  size_t count = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (!stands_for_itself(byte)) bytes[count++] = static_cast<uint8_t>(byte);
  }
  return bytes;
}

constexpr std::array<uint8_t, kUnprintable> kUnprintableBytes = make_unprintable();

constexpr std::array<char32_t, 256> make_chars() {
  std::array<char32_t, 256> chars{};
  for (int byte = 0; byte < 256; ++byte) chars[static_cast<size_t>(byte)] = static_cast<char32_t>(byte);
  for (size_t i = 0; i < kUnprintable; ++i) chars[kUnprintableBytes[i]] = kFirstStandIn + static_cast<char32_t>(i);
  return chars;
}

constexpr std::array<char32_t, 256> kChars = make_chars();

}  // namespace

char32_t byte_to_char(uint8_t byte) { return kChars[byte]; }

int char_to_byte(char32_t character) {
  if (character < 0x100) return stands_for_itself(static_cast<int>(character)) ? static_cast<int>(character) : -1;
  if (character < kFirstStandIn + kUnprintable) return kUnprintableBytes[character - kFirstStandIn];
  return -1;
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) append_utf8(out, kChars[static_cast<uint8_t>(byte)]);
  return out;
}

bool from_byte_alphabet(std::string_view text, std::string& bytes) {
  bytes.clear();
  char32_t character = 0;
  for (size_t i = 0; i < text.size();) {
    const int length = decode_utf8(text.substr(i), character);
    const int byte = length == 0 ? -1 : char_to_byte(character);
    if (byte < 0) return false;
    bytes += static_cast<char>(byte);
    i += static_cast<size_t>(length);
  }
  return true;
}

}  // namespace sensorium::text
