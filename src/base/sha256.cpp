#include "base/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/sha256_blocks.h"

namespace sensorium {
namespace {

uint32_t load_big(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

// FIPS 180-4, 6.2.2.
void compress(std::array<uint32_t, 8>& state, const uint8_t* block) {
  const uint32_t* const constants = detail::kSha256Constants.data();
  uint32_t w[64];
  for (int t = 0; t < 16; ++t) w[t] = load_big(block + 4 * t);
  for (int t = 16; t < 64; ++t) {
    const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int t = 0; t < 64; ++t) {
    const uint32_t t1 =
        h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + constants[t] + w[t];
    const uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; ++i) state[i] += sums[i];
}

void add_blocks(std::array<uint32_t, 8>& state, const uint8_t* blocks, size_t count) {
  static const detail::Sha256Blocks fast = detail::sha256_blocks_x86();
  (fast != nullptr ? fast : detail::sha256_blocks_portable)(state, blocks, count);
}

}  // namespace

void detail::sha256_blocks_portable(std::array<uint32_t, 8>& state, const uint8_t* blocks, size_t count) {
  for (; count > 0; --count, blocks += 64) compress(state, blocks);
}

void Sha256::update(std::span<const uint8_t> bytes) {
  total_bytes_ += bytes.size();
  if (filled_ > 0) {
    const size_t count = std::min(bytes.size(), block_.size() - filled_);
    std::copy_n(bytes.begin(), count, block_.begin() + static_cast<ptrdiff_t>(filled_));
    filled_ += count;
    bytes = bytes.subspan(count);
    if (filled_ < block_.size()) return;
    add_blocks(state_, block_.data(), 1);
    filled_ = 0;
  }
  const size_t whole = bytes.size() / block_.size();
  add_blocks(state_, bytes.data(), whole);
  bytes = bytes.subspan(whole * block_.size());
  std::copy(bytes.begin(), bytes.end(), block_.begin());
  filled_ = bytes.size();
}

Sha256Digest Sha256::digest() {
  // A one bit, zeros, and the length in bits as the last eight bytes (FIPS 180-4, 5.1.1).
  const uint64_t bits = total_bytes_ * 8;
  block_[filled_++] = 0x80;
  if (filled_ > block_.size() - 8) {
    std::fill(block_.begin() + static_cast<ptrdiff_t>(filled_), block_.end(), uint8_t{0});
    add_blocks(state_, block_.data(), 1);
    filled_ = 0;
  }
  std::fill(block_.begin() + static_cast<ptrdiff_t>(filled_), block_.end(), uint8_t{0});
  for (size_t i = 0; i < 8; ++i) block_[block_.size() - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  add_blocks(state_, block_.data(), 1);
  Sha256Digest result;
  for (size_t i = 0; i < result.size(); ++i) result[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  return result;
}

Sha256Digest sha256(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.digest();
}

Sha256Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.digest();
}

std::string to_hex(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace sensorium
