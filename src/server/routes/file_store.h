// Files that clients upload once and name in later requests (/v1/files).
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/json.h"

namespace sensorium::server {

struct StoredFile {
  std::string id, name, purpose, owner;
  int64_t bytes = 0, created_s = 0;  // seconds since 1970
};

// A folder with two files for each upload: its bytes, and what is known of it. Thread-safe; several servers may share a folder.
class FileStore {
 public:
  // "": a new folder for temporary files, removed at the end. Throws Error(io).
  FileStore(std::filesystem::path folder, int64_t max_bytes);
  ~FileStore();
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;

  // Throws ApiError: 413 (the folder would hold more than max_bytes), 507 (the disk is full).
  StoredFile add(const std::string& owner, const std::string& name, const std::string& purpose, std::string_view bytes);
  // Of one owner, the newest first.
  std::vector<StoredFile> list(const std::string& owner) const;
  // Throw ApiError(404) for what is not there or another's.
  StoredFile info(const std::string& owner, const std::string& id) const;
  std::string read(const std::string& owner, const std::string& id) const;
  void remove(const std::string& owner, const std::string& id);

 private:
  std::filesystem::path folder_;
  bool temporary_;
  int64_t max_bytes_;
  mutable std::mutex mutex_;
};

}  // namespace sensorium::server
