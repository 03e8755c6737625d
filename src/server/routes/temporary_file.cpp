#include "server/routes/temporary_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/descriptor.h"

namespace sensorium::server {

TemporaryFile::TemporaryFile(std::string_view bytes) {
  std::string name = (std::filesystem::temp_directory_path() / "sensorium_media_XXXXXX").string();
  const Descriptor file(::mkstemp(name.data()));
  require(file.get() >= 0, ErrorKind::io, "no temporary file");
  path_ = name;
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n <= 0) {
      ::unlink(name.c_str());
      fail(ErrorKind::io, "a temporary file cannot be written");
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

std::string TemporaryFile::without_path(const Error& error) const {
  const std::string prefix = path_.string() + ": ";
  if (error.message().starts_with(prefix)) return error.message().substr(prefix.size());
  return error.message().find(path_.string()) == std::string::npos ? error.message() : "it is damaged";
}

}  // namespace sensorium::server
