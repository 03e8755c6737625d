#include "base/base64.h"

#include <algorithm>
#include <array>

namespace sensorium {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kInvalid = 0xFF;

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kInvalid);
  for (size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  return values;
}
constexpr std::array<uint8_t, 256> kValues = make_values();

Error bad(size_t offset, std::string_view why) {
  return Error(ErrorKind::invalid_data, fmt::format("invalid base64 at offset {}: {}", offset, why));
}

}  // namespace

std::string base64_encode(std::span<const uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) text += j <= count ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string base64_encode(std::string_view bytes) {
  return base64_encode(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return bad(text.size(), "the length is not a multiple of 4");
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const size_t padding = last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
    uint32_t group = 0;
    for (size_t j = 0; j < 4; ++j) {
      const uint8_t value = j < 4 - padding ? kValues[static_cast<uint8_t>(text[i + j])] : uint8_t{0};
      if (value == kInvalid)
        return bad(i + j, text[i + j] == '=' ? "padding inside" : "a character outside the alphabet");
      group = group << 6 | value;
    }
    const size_t count = 3 - padding;
    for (size_t j = 0; j < count; ++j) bytes += static_cast<char>(group >> (16 - 8 * j) & 0xFF);
    if (padding > 0 && (group & ((1u << (8 * padding)) - 1)) != 0) return bad(i + 3 - padding, "bits left over");
  }
  return bytes;
}

}  // namespace sensorium
