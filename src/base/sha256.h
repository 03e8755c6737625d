// SHA-256 (FIPS 180-4): the name of a piece of content in caches and manifests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sensorium {

using Sha256Digest = std::array<uint8_t, 32>;

// For data that arrive in pieces: update() any number of times, then digest() once.
class Sha256 {
 public:
  void update(std::span<const uint8_t> bytes);
  void update(std::string_view bytes) { update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}); }
  Sha256Digest digest();

 private:
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  size_t filled_ = 0;
  uint64_t total_bytes_ = 0;
};

Sha256Digest sha256(std::span<const uint8_t> bytes);
Sha256Digest sha256(std::string_view bytes);

// Two lower-case digits per byte.
std::string to_hex(std::span<const uint8_t> bytes);

}  // namespace sensorium
