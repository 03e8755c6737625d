// A file that is gone when its owner is: ffmpeg reads from a path.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sensorium::server {

class TemporaryFile {
 public:
  // Throws Error(io).
  explicit TemporaryFile(std::string_view bytes);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // An error's message without the name of this file, which is nothing to the client.
  std::string without_path(const Error& error) const;

 private:
  std::filesystem::path path_;
};

}  // namespace sensorium::server
