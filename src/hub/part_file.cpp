#include "hub/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/interrupt.h"

namespace sensorium::hub {
namespace {
namespace fs = std::filesystem;

constexpr size_t kMaxEtagBytes = 1024;

fs::path with_suffix(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

void require_done(bool done, const fs::path& path) {
  require(done, ErrorKind::io, "{}: {}", path.string(), std::strerror(errno));
}

// Feeds the file's bytes from the descriptor's position to its end; gives their count.
uint64_t hash_rest(int descriptor, const fs::path& path, Sha256& hash) {
  std::vector<uint8_t> buffer(1 << 20);
  uint64_t total = 0;
  for (;;) {
    check_interrupted();
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    require_done(got >= 0, path);
    if (got == 0) return total;
    hash.update({buffer.data(), static_cast<size_t>(got)});
    total += static_cast<uint64_t>(got);
  }
}

}  // namespace

std::string hash_of_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require_done(file.get() >= 0, path);
  Sha256 hash;
  hash_rest(file.get(), path, hash);
  return to_hex(hash.digest());
}

PartFile::PartFile(fs::path path)
    : path_(std::move(path)), part_(with_suffix(path_, ".part")), etag_path_(with_suffix(path_, ".part.etag")) {
  lock_ = std::make_unique<FileLock>(part_);
  require(lock_->held(), ErrorKind::io, "{}: another process is downloading it", part_.string());
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CLOEXEC);
  require_done(descriptor_ >= 0, part_);
  try {
    size_ = hash_rest(descriptor_, part_, hash_);
    if (fs::exists(etag_path_)) etag_ = read_file(etag_path_, kMaxEtagBytes);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

PartFile::~PartFile() { ::close(descriptor_); }

void PartFile::set_etag(const std::string& etag) {
  const std::string kept = etag.size() <= kMaxEtagBytes ? etag : std::string();
  if (kept == etag_) return;
  if (kept.empty()) {
    std::error_code ignored;
    fs::remove(etag_path_, ignored);
  } else {
    write_file_atomic(etag_path_, kept);
  }
  etag_ = kept;
}

void PartFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    require(put > 0, ErrorKind::io, "{}: cannot write: {}; what has come stays there", part_.string(),
            std::strerror(errno));
    hash_.update({reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<size_t>(put)});
    size_ += static_cast<uint64_t>(put);
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
}

void PartFile::restart() {
  require_done(::ftruncate(descriptor_, 0) == 0 && ::lseek(descriptor_, 0, SEEK_SET) == 0, part_);
  size_ = 0;
  hash_ = Sha256();
  set_etag("");
}

void PartFile::require_room(uint64_t total) const {
  std::error_code code;  // a file system that does not tell
  const fs::space_info space = fs::space(part_, code);
  if (code || total <= size_) return;
  require(total - size_ <= space.available, ErrorKind::io, "{}: {} more bytes are needed, the disk has room for {}",
          path_.string(), total - size_, space.available);
}

std::string PartFile::hash() const { return to_hex(Sha256(hash_).digest()); }

void PartFile::commit() {
  require_done(::fsync(descriptor_) == 0, part_);
  std::error_code ignored;
  fs::remove(etag_path_, ignored);
  require_done(::rename(part_.c_str(), path_.c_str()) == 0, path_);
  sync_folder(path_.parent_path());
}

void PartFile::remove() {
  std::error_code ignored;
  fs::remove(part_, ignored);
  fs::remove(etag_path_, ignored);
}

}  // namespace sensorium::hub
