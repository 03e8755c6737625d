// Little-endian reads from untrusted bytes. Every read says whether the bytes were there; none goes past the end, and a
// read that fails moves nothing.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace sensorium::io {

static_assert(std::endian::native == std::endian::little, "the formats that this layer reads are little-endian");

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, size_t position = 0)
      : bytes_(bytes), position_(position < bytes.size() ? position : bytes.size()) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  template <typename T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool read(T& value) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return true;
  }
  // A view of the next `count` bytes.
  [[nodiscard]] bool read(uint64_t count, std::string_view& text) {
    if (remaining() < count) return false;
    text = std::string_view(reinterpret_cast<const char*>(bytes_.data()) + position_, count);
    position_ += count;
    return true;
  }
  // A view up to the next newline, which is skipped.
  [[nodiscard]] bool read_line(std::string_view& text) {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_, remaining());
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) return false;
    text = rest.substr(0, end);
    position_ += end + 1;
    return true;
  }
  [[nodiscard]] bool skip(uint64_t count) {
    if (remaining() < count) return false;
    position_ += count;
    return true;
  }
  // The bytes from `begin` to here.
  std::span<const std::byte> since(size_t begin) const { return bytes_.subspan(begin, position_ - begin); }

 private:
  std::span<const std::byte> bytes_;
  size_t position_;
};

}  // namespace sensorium::io
