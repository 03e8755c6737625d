#include "media/exif.h"

#include <string_view>

#include "media/byte_reader.h"

namespace sensorium::media::detail {

int exif_orientation(std::span<const uint8_t> block) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  constexpr uint32_t kOrientationTag = 0x0112, kShort = 3, kLong = 4;
  constexpr size_t kEntryBytes = 12;
  if (ByteReader(block, ByteOrder::big).matches(0, kPrefix)) block = block.subspan(kPrefix.size());

  const ByteReader probe(block, ByteOrder::big);
  if (!probe.matches(0, std::string_view("II*\0", 4)) && !probe.matches(0, std::string_view("MM\0*", 4))) return 1;
  const ByteReader reader(block, block[0] == 'I' ? ByteOrder::little : ByteOrder::big);
  const auto directory = reader.u32(4);
  if (!directory) return 1;
  const auto entries = reader.u16(*directory);
  if (!entries) return 1;
  for (size_t i = 0; i < *entries; ++i) {
    const size_t entry = size_t{*directory} + 2 + i * kEntryBytes;
    if (!reader.holds(entry, kEntryBytes)) return 1;
    if (reader.u16(entry) != kOrientationTag) continue;
    const auto type = reader.u16(entry + 2);
    const auto value = type == kShort ? reader.u16(entry + 8) : type == kLong ? reader.u32(entry + 8) : std::nullopt;
    return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
  }
  return 1;
}

}  // namespace sensorium::media::detail
