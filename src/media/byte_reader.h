// Numbers from untrusted bytes. Reads past the end give nothing instead of undefined behaviour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace sensorium::media::detail {

enum class ByteOrder { little, big };

class ByteReader {
 public:
  ByteReader(std::span<const uint8_t> bytes, ByteOrder order) : bytes_(bytes), order_(order) {}

  size_t size() const { return bytes_.size(); }
  bool holds(size_t offset, size_t count) const { return offset <= bytes_.size() && count <= bytes_.size() - offset; }

  std::optional<uint32_t> u8(size_t offset) const { return number(offset, 1); }
  std::optional<uint32_t> u16(size_t offset) const { return number(offset, 2); }
  std::optional<uint32_t> u24(size_t offset) const { return number(offset, 3); }
  std::optional<uint32_t> u32(size_t offset) const { return number(offset, 4); }
  bool matches(size_t offset, std::string_view text) const {
    return holds(offset, text.size()) && std::memcmp(bytes_.data() + offset, text.data(), text.size()) == 0;
  }
  // The part [offset, offset + count), cut off at the end of the bytes.
  std::span<const uint8_t> slice(size_t offset, size_t count) const {
    if (offset >= bytes_.size()) return {};
    return bytes_.subspan(offset, count < bytes_.size() - offset ? count : bytes_.size() - offset);
  }

 private:
  std::optional<uint32_t> number(size_t offset, size_t count) const {
    if (!holds(offset, count)) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t byte = bytes_[offset + i];
      value = order_ == ByteOrder::big ? value << 8 | byte : value | byte << (8 * i);
    }
    return value;
  }

  std::span<const uint8_t> bytes_;
  ByteOrder order_;
};

}  // namespace sensorium::media::detail
