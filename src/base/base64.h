// Base64 with the standard alphabet and padding (RFC 4648, section 4).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sensorium {

std::string base64_encode(std::span<const uint8_t> bytes);
std::string base64_encode(std::string_view bytes);

// Strict: only whole groups of four characters of the alphabet, padding only at the end, and no bits left over, so that
// every byte string has exactly one encoding. Error(invalid_data) names the offset.
Result<std::string> base64_decode(std::string_view text);

}  // namespace sensorium
