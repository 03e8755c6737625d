// Files: whole reads with a limit, memory maps, writes that are all or nothing, and locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sensorium {

// The file's bytes. Throws Error: not_found, io (a directory, no permission), limit (larger than max_bytes).
std::string read_file(const std::filesystem::path& path, size_t max_bytes = size_t{1} << 32);

// What comes on standard input until its end: a pipe, a file, a socket or a terminal. Throws Error: io, limit, interrupted.
std::string read_standard_input(size_t max_bytes = size_t{1} << 32);

// Writes to a temporary file beside `path`, flushes it to the disk and renames it over `path`: a reader sees the old
// bytes or the new ones, also after a crash or a power cut. Throws Error(io); then nothing is left behind.
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

// The same for output made in pieces. Without commit() the destructor removes the temporary file.
class AtomicFile {
 public:
  // Throws Error(io) if the target is there and no regular file: a device or a pipe must not be replaced.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  // At a place of the file, which write() does not move from.
  void write_at(uint64_t offset, const void* data, size_t bytes);
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

// A folder that is made in pieces: they are written into staging(), beside `path`, and commit() gives the folder its name.
// Without commit() the destructor removes everything.
class AtomicFolder {
 public:
  // Throws Error: usage if something is at `path` already (an empty folder may be), io.
  explicit AtomicFolder(std::filesystem::path path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& staging() const { return staging_; }
  void commit();

 private:
  std::filesystem::path path_, staging_;
};

// Flushes the names in a folder to the disk: a file is flushed by its own fsync, its name only by the folder's. Throws Error(io).
void sync_folder(const std::filesystem::path& folder);

// Keeps other processes out while it lives; the lock goes with the process, however that ends. The file is made if it is
// missing, and stays.
class FileLock {
 public:
  // Throws Error(io) if the file cannot be opened or locked at all; whether somebody else has it is held()'s to say.
  explicit FileLock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_;
};

// A read-only map of a whole file; pages load when touched. Move-only.
class MappedFile {
 public:
  // Throws Error: not_found, io. An empty file gives an empty span.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sensorium
