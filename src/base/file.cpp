#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/interrupt.h"

namespace sensorium {
namespace {

const char* name_of_type(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : S_ISFIFO(mode) ? "a pipe" : "special";
}

// Opens a regular file for reading and returns its size in `size`.
int open_regular(const std::filesystem::path& path, size_t& size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int code = errno;
    fail(code == ENOENT || code == ENOTDIR ? ErrorKind::not_found : ErrorKind::io, "{}: {}", path.string(),
         code == ENOENT ? "no such file" : std::strerror(code));
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode))) {
    ::close(fd);
    fail(ErrorKind::io, "{}: is {}, not a file", path.string(), name_of_type(info.st_mode));
  }
  size = static_cast<size_t>(info.st_size);
  return fd;
}

// All that is left to read; `size` is a guess, as the file may be a pipe or may have grown.
std::string read_to_end(int fd, const std::string& name, size_t size, size_t max_bytes) {
  std::string bytes(size, '\0');
  size_t done = 0;
  for (;;) {
    char more;
    const bool full = done == bytes.size();
    const ssize_t got = full ? ::read(fd, &more, 1) : ::read(fd, bytes.data() + done, bytes.size() - done);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) {
      check_interrupted();
      continue;
    }
    require(got > 0, ErrorKind::io, "{}: {}", name, std::strerror(errno));
    if (full) {
      require(done < max_bytes, ErrorKind::limit, "{}: more than {} bytes", name, max_bytes);
      bytes.resize(std::min(max_bytes, std::max<size_t>(4096, bytes.size() * 2)));
      bytes[done] = more;
    }
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, size_t max_bytes) {
  size_t size = 0;
  const Descriptor file(open_regular(path, size));
  require(size <= max_bytes, ErrorKind::limit, "{}: {} bytes are more than the limit of {}", path.string(), size,
          max_bytes);
  return read_to_end(file.get(), path.string(), size, max_bytes);
}

std::string read_standard_input(size_t max_bytes) { return read_to_end(STDIN_FILENO, "standard input", 0, max_bytes); }

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> serial{0};
  struct stat info {};
  if (::stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    fail(ErrorKind::io, "{}: cannot write: it is {}, not a file", path_.string(), name_of_type(info.st_mode));
  }
  temporary_ = path_;
  temporary_ += fmt::format(".{}.{}.tmp", ::getpid(), serial++);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  require(descriptor_ >= 0, ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* cursor = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor_, cursor, std::min<size_t>(bytes, size_t{1} << 30));
    if (put < 0 && errno == EINTR) continue;
    require(put > 0, ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
    cursor += put;
    bytes -= static_cast<size_t>(put);
  }
}

void AtomicFile::write_at(uint64_t offset, const void* data, size_t bytes) {
  const char* cursor = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t put =
        ::pwrite(descriptor_, cursor, std::min<size_t>(bytes, size_t{1} << 30), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    require(put > 0, ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
    cursor += put;
    offset += static_cast<uint64_t>(put);
    bytes -= static_cast<size_t>(put);
  }
}

void AtomicFile::commit() {
  require(::fsync(descriptor_) == 0, ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
  require(::rename(temporary_.c_str(), path_.c_str()) == 0, ErrorKind::io, "{}: cannot write: {}", path_.string(),
          std::strerror(errno));
  ::close(std::exchange(descriptor_, -1));
  sync_folder(path_.parent_path());
}

void write_file_atomic(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

AtomicFolder::AtomicFolder(std::filesystem::path path) : path_(std::move(path)) {
  std::filesystem::path whole = std::filesystem::absolute(path_).lexically_normal();
  path_ = whole.has_filename() ? whole : whole.parent_path();
  std::error_code code;
  require(!std::filesystem::exists(path_, code) || std::filesystem::is_empty(path_, code), ErrorKind::usage,
          "{}: is there already; give the name of a new folder", path_.string());
  staging_ = path_;
  staging_ += fmt::format(".{}.partial", ::getpid());
  std::filesystem::create_directories(staging_, code);
  require(!code, ErrorKind::io, "{}: cannot create: {}", staging_.string(), code.message());
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!staging_.empty()) std::filesystem::remove_all(staging_, ignored);
}

void AtomicFolder::commit() {
  sync_folder(staging_);
  std::error_code code;
  std::filesystem::rename(staging_, path_, code);  // over an empty folder, too
  require(!code, ErrorKind::io, "{}: cannot rename: {}", staging_.string(), code.message());
  staging_.clear();
  sync_folder(path_.parent_path());
}

void sync_folder(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder.empty() ? std::filesystem::path(".") : folder;
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // File systems that cannot flush a folder say EINVAL: they keep names in their own way.
  const bool flushed = descriptor.get() >= 0 && (::fsync(descriptor.get()) == 0 || errno == EINVAL);
  require(flushed, ErrorKind::io, "{}: cannot write: {}", path.string(), std::strerror(errno));
}

FileLock::FileLock(const std::filesystem::path& path)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)), held_(false) {
  require(descriptor_ >= 0, ErrorKind::io, "{}: cannot write: {}", path.string(), std::strerror(errno));
  held_ = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  if (held_ || errno == EWOULDBLOCK) return;
  const int code = errno;
  ::close(descriptor_);
  fail(ErrorKind::io, "{}: cannot lock: {}", path.string(), std::strerror(code));
}

FileLock::~FileLock() { ::close(descriptor_); }

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(open_regular(path, size_));
  if (size_ == 0) return;
  data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  require(data_ != MAP_FAILED, ErrorKind::io, "{}: cannot map: {}", path.string(), std::strerror(errno));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

}  // namespace sensorium
