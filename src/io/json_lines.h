// JSON lines: a file of one JSON value a line, read by line without holding the file in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace sensorium::io {

// A memory-mapped file with an index of its lines (16 bytes each). Blank lines and a byte order mark are skipped.
// Thread-safe.
class JsonLinesFile {
 public:
  static constexpr size_t kMaxLineBytes = size_t{64} << 20;

  // Throws Error: not_found, io, limit (a line above kMaxLineBytes, naming it).
  explicit JsonLinesFile(const std::filesystem::path& path);

  int64_t size() const { return static_cast<int64_t>(lines_.size()); }
  // The text of the index-th line that is not blank, without its end.
  std::string_view text(int64_t index) const;
  // "file:line", lines counted from 1, for messages.
  std::string where(int64_t index) const;
  // Errors: invalid_data that says at which byte of the line the JSON or its UTF-8 ends; without where().
  Result<Json> parse(int64_t index) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Line {
    uint64_t begin;
    uint32_t length, number;
  };
  std::filesystem::path path_;
  MappedFile map_;
  std::vector<Line> lines_;
};

}  // namespace sensorium::io
