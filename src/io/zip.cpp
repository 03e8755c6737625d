#include "io/zip.h"

#include <algorithm>
#include <set>

#include "base/utf8.h"
#include "io/byte_reader.h"
#include "io/errors.h"

namespace sensorium::io {
namespace {

constexpr uint32_t kLocalHeader = 0x04034B50, kCentralHeader = 0x02014B50, kEnd = 0x06054B50, kEnd64 = 0x06064B50,
                   kLocator64 = 0x07064B50;
constexpr size_t kEndBytes = 22, kLocator64Bytes = 20, kEnd64Bytes = 56, kMaxComment = 0xFFFF, kCentralBytes = 46;
constexpr uint16_t kZip64Field = 1, kEncrypted = 1;

// Records without padding, as they stand in the file.
#pragma pack(push, 1)
struct EndRecord {
  uint32_t signature;
  uint16_t disk, directory_disk, disk_entries, entries;
  uint32_t directory_bytes, directory_offset;
  uint16_t comment_bytes;
};
struct Locator64 {
  uint32_t signature, end_disk;
  uint64_t end_offset;
  uint32_t disks;
};
struct EndRecord64 {
  uint32_t signature;
  uint64_t record_bytes;
  uint16_t made_by, needed;
  uint32_t disk, directory_disk;
  uint64_t disk_entries, entries, directory_bytes, directory_offset;
};
struct CentralHeader {
  uint32_t signature;
  uint16_t made_by, needed, flags, method, time, date;
  uint32_t checksum, stored_bytes, bytes;
  uint16_t name_bytes, extra_bytes, comment_bytes, disk, internal;
  uint32_t external, local_offset;
};
struct LocalHeader {
  uint32_t signature;
  uint16_t needed, flags, method, time, date;
  uint32_t checksum, stored_bytes, bytes;
  uint16_t name_bytes, extra_bytes;
};
#pragma pack(pop)
static_assert(sizeof(EndRecord) == kEndBytes && sizeof(Locator64) == kLocator64Bytes &&
              sizeof(EndRecord64) == kEnd64Bytes && sizeof(CentralHeader) == kCentralBytes &&
              sizeof(LocalHeader) == 30);

struct Directory {
  uint64_t entries, offset, bytes;
};

Result<Directory> find_directory(std::span<const std::byte> archive) {
  // The end record is followed by a comment that reaches to the end of the file.
  EndRecord end{};
  size_t place = archive.size();
  for (size_t comment = 0; comment <= kMaxComment && comment + kEndBytes <= archive.size(); ++comment) {
    const size_t candidate = archive.size() - kEndBytes - comment;
    std::memcpy(&end, archive.data() + candidate, kEndBytes);
    if (end.signature == kEnd && end.comment_bytes == comment) {
      place = candidate;
      break;
    }
  }
  if (place == archive.size()) return invalid("no end of a ZIP archive: not an archive, or cut off");
  if (end.disk != 0 && end.disk != 0xFFFF) return unsupported("a ZIP archive in several files");
  Directory directory{end.entries, end.directory_offset, end.directory_bytes};
  size_t limit = place;
  const bool needs_64 =
      end.entries == 0xFFFF || end.directory_offset == 0xFFFFFFFF || end.directory_bytes == 0xFFFFFFFF;
  if (place >= kLocator64Bytes) {
    Locator64 locator{};
    std::memcpy(&locator, archive.data() + place - kLocator64Bytes, kLocator64Bytes);
    if (locator.signature == kLocator64) {
      EndRecord64 end64{};
      ByteReader reader(archive.first(place - kLocator64Bytes), locator.end_offset);
      limit = reader.position();
      if (!reader.read(end64) || end64.signature != kEnd64) return invalid("a damaged zip64 end record");
      if (end64.disk != 0 || end64.directory_disk != 0) return unsupported("a ZIP archive in several files");
      directory = {end64.entries, end64.directory_offset, end64.directory_bytes};
    } else if (needs_64) {
      return invalid("the zip64 end record is missing");
    }
  }
  if (directory.offset > limit || directory.bytes > limit - directory.offset ||
      directory.entries > directory.bytes / kCentralBytes) {
    return invalid("a directory of {} entries in {} bytes at {} is not inside the archive's {}", directory.entries,
                   directory.bytes, directory.offset, archive.size());
  }
  return directory;
}

// Replaces those of the sizes and the offset that are 0xFFFFFFFF by their 64-bit form in the extra field.
bool apply_zip64(std::string_view extra, uint64_t& bytes, uint64_t& stored_bytes, uint64_t& offset) {
  if (bytes != 0xFFFFFFFF && stored_bytes != 0xFFFFFFFF && offset != 0xFFFFFFFF) return true;
  ByteReader reader(std::as_bytes(std::span(extra)));
  uint16_t id = 0, length = 0;
  std::string_view field;
  while (reader.read(id) && reader.read(length) && reader.read(length, field)) {
    if (id != kZip64Field) continue;
    ByteReader values(std::as_bytes(std::span(field)));
    return (bytes != 0xFFFFFFFF || values.read(bytes)) && (stored_bytes != 0xFFFFFFFF || values.read(stored_bytes)) &&
           (offset != 0xFFFFFFFF || values.read(offset));
  }
  return false;
}

struct Extent {
  uint64_t begin, end;  // from the local header to the end of the data
  std::string name;
};

// Reads the entry at `reader`, in the central directory, and moves past it.
Result<ZipEntry> read_entry(std::span<const std::byte> archive, const Directory& directory, ByteReader& reader,
                            Extent& extent) {
  CentralHeader central{};
  std::string_view name, extra;
  if (!reader.read(central) || central.signature != kCentralHeader || !reader.read(central.name_bytes, name) ||
      !reader.read(central.extra_bytes, extra) || !reader.skip(central.comment_bytes)) {
    return invalid("a damaged ZIP directory");
  }
  if (find_invalid_utf8(name) != std::string_view::npos) return invalid("an entry's name is not UTF-8");
  if ((central.flags & kEncrypted) != 0) return unsupported("entry {} is encrypted", name);
  if (central.method != 0) {
    return unsupported("entry {} is compressed (method {}); only stored entries are read", name, central.method);
  }
  uint64_t bytes = central.bytes, stored_bytes = central.stored_bytes, offset = central.local_offset;
  if (!apply_zip64(extra, bytes, stored_bytes, offset)) return invalid("entry {}: its zip64 sizes are missing", name);
  if (bytes != stored_bytes) return invalid("entry {}: {} bytes stored for {}", name, stored_bytes, bytes);
  LocalHeader local{};
  std::string_view local_name;
  ByteReader place(archive.first(directory.offset), offset);
  if (place.position() != offset || !place.read(local) || local.signature != kLocalHeader ||
      !place.read(local.name_bytes, local_name) || local_name != name || !place.skip(local.extra_bytes)) {
    return invalid("entry {}: no header of it at {}", name, offset);
  }
  const size_t begin = place.position();
  if (!place.skip(bytes)) return invalid("entry {}: {} bytes at {} are not inside the archive", name, bytes, begin);
  extent = {offset, place.position(), std::string(name)};
  return ZipEntry{std::string(name), place.since(begin)};
}

}  // namespace

bool looks_like_zip(std::span<const std::byte> bytes) {
  uint32_t signature = 0;
  return ByteReader(bytes).read(signature) && signature == kLocalHeader;
}

Result<std::vector<ZipEntry>> read_stored_zip(std::span<const std::byte> archive) {
  const Result<Directory> found = find_directory(archive);
  if (!found) return found.error();
  const Directory& directory = found.value();
  ByteReader reader(archive.first(directory.offset + directory.bytes), directory.offset);
  std::vector<ZipEntry> entries;
  std::vector<Extent> extents;
  std::set<std::string_view> names;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    Extent extent{};
    Result<ZipEntry> entry = read_entry(archive, directory, reader, extent);
    if (!entry) return entry.error();
    entries.push_back(std::move(entry).value());
    extents.push_back(std::move(extent));
  }
  for (const ZipEntry& entry : entries) {
    if (!names.insert(entry.name).second) return invalid("entry {} stands twice", entry.name);
  }
  std::ranges::sort(extents, {}, &Extent::begin);
  for (size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      return invalid("entry {}: its bytes overlap those of {}", extents[i].name, extents[i - 1].name);
    }
  }
  return entries;
}

}  // namespace sensorium::io
