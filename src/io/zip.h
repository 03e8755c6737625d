// ZIP archives whose entries are stored, not compressed, as torch.save writes them: the entries are read where they
// lie. Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 (records) and 4.5.3 (zip64).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace sensorium::io {

struct ZipEntry {
  std::string name;
  std::span<const std::byte> bytes;  // a view of the archive
};

// True if the bytes start as an archive with at least one entry does.
bool looks_like_zip(std::span<const std::byte> bytes);

// The entries in the order of the central directory. All sizes and offsets are checked against the archive, the local
// header of each entry against its central one; entries never overlap, so that what they hold together is at most what
// the file holds. Checksums are not compared: that would read all of a file that is mapped to be read in parts. Errors:
// invalid_data, unsupported (compressed, encrypted, split over several files).
Result<std::vector<ZipEntry>> read_stored_zip(std::span<const std::byte> archive);

}  // namespace sensorium::io
