#include <algorithm>
#include <map>
#include <mutex>

#include "base/memory.h"
#include "tensor/tensor.h"

namespace sensorium {
namespace {

// What is kept of freed memory at most; a training step of the default model frees about 3 GB.
constexpr size_t kMaxCachedBytes = size_t{8} << 30;

// Freed blocks by size. Fresh pages cost a page fault per 4 KB, as much as computing on them: a training step that frees
// and takes the same sizes again must not pay that.
class BlockCache {
 public:
  static BlockCache& instance() {
    static BlockCache* cache = new BlockCache();  // outlives every tensor
    return *cache;
  }

  void* take(size_t bytes) {
    {
      std::lock_guard lock(mutex_);
      const auto found = free_.find(bytes);
      if (found != free_.end()) {
        void* block = found->second;
        free_.erase(found);
        cached_ -= bytes;
        count(bytes);
        return block;
      }
    }
    void* block = allocate_block(bytes);
    if (block == nullptr) {
      release();
      block = allocate_block(bytes);
    }
    require(block != nullptr, ErrorKind::limit, "out of memory: a tensor of {} bytes", bytes);
    std::lock_guard lock(mutex_);
    count(bytes);
    return block;
  }

  void give(void* block, size_t bytes) {
    std::unique_lock lock(mutex_);
    in_use_ -= bytes;
    if (cached_ + bytes > kMaxCachedBytes) {
      lock.unlock();
      free_block(block, bytes);
      return;
    }
    cached_ += bytes;
    free_.emplace(bytes, block);
  }

  void release() {
    std::lock_guard lock(mutex_);
    for (const auto& [bytes, block] : free_) free_block(block, bytes);
    free_.clear();
    cached_ = 0;
  }

  size_t in_use() {
    std::lock_guard lock(mutex_);
    return in_use_;
  }
  size_t peak() {
    std::lock_guard lock(mutex_);
    return peak_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    peak_ = in_use_;
  }

 private:
  void count(size_t bytes) {
    in_use_ += bytes;
    peak_ = std::max(peak_, in_use_);
  }

  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  size_t cached_ = 0, in_use_ = 0, peak_ = 0;
};

// Rounded so that near sizes share blocks: to an eighth of the leading power of two, at least 64 bytes.
size_t block_bytes(size_t bytes) {
  size_t step = 64;
  while (step * 16 < bytes) step *= 2;
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

}  // namespace

Storage::Storage(void* data, size_t bytes, Device device, std::shared_ptr<const void> owner, bool owned)
    : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)), owned_(owned) {}

Storage::~Storage() {
  if (owned_) BlockCache::instance().give(data_, block_bytes(bytes_));
}

std::shared_ptr<Storage> Storage::allocate(size_t bytes, Device device) {
  require(device.kind == DeviceKind::cpu, ErrorKind::unsupported, "this build cannot allocate memory on {}",
          name_of(device));
  void* data = BlockCache::instance().take(block_bytes(bytes));
  return std::make_shared<Storage>(data, bytes, device, nullptr, true);
}

std::shared_ptr<Storage> Storage::borrow(void* data, size_t bytes, std::shared_ptr<const void> owner) {
  return std::make_shared<Storage>(data, bytes, Device{}, std::move(owner), false);
}

void release_cached_memory() { BlockCache::instance().release(); }
size_t tensor_bytes_in_use() { return BlockCache::instance().in_use(); }
size_t peak_tensor_bytes() { return BlockCache::instance().peak(); }
void reset_peak_tensor_bytes() { BlockCache::instance().reset_peak(); }

}  // namespace sensorium
