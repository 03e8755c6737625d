// The unfinished file of a download: PATH.part, and PATH.part.etag, which says what it is a part of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "base/sha256.h"

namespace sensorium::hub {

// Lower-case hexadecimal digits. Looks at interrupted(). Throws Error: not_found, io, interrupted.
std::string hash_of_file(const std::filesystem::path& path);

// Every function throws Error(io) that names the file when the system refuses.
class PartFile {
 public:
  // Opens or makes PATH.part, locks it against other processes, and hashes what it holds.
  explicit PartFile(std::filesystem::path path);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  uint64_t size() const { return size_; }
  const std::string& etag() const { return etag_; }
  void set_etag(const std::string& etag);
  void append(std::span<const std::byte> bytes);
  void restart();  // empty, and of nothing known
  // Throws Error(io) if the disk has no room for the rest of `total` bytes.
  void require_room(uint64_t total) const;
  std::string hash() const;
  // Flushes it to the disk and gives it its name.
  void commit();
  void remove();

 private:
  std::filesystem::path path_, part_, etag_path_;
  std::unique_ptr<FileLock> lock_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  Sha256 hash_;
  std::string etag_;
};

}  // namespace sensorium::hub
