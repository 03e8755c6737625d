#include "models/decoder/cache.h"

#include <unistd.h>

namespace sensorium::models {
namespace {

size_t half_of_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), bytes = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? static_cast<size_t>(pages) / 2 * static_cast<size_t>(bytes) : size_t{4} << 30;
}

}  // namespace

void DecoderCache::configure(const CacheOptions& options) {
  const std::lock_guard lock(mutex_);
  options_ = options;
  pool_.reset();
}

std::shared_ptr<nn::KvPool> DecoderCache::pool(const Decoder& decoder, DType compute) {
  const std::lock_guard lock(mutex_);
  if (!pool_) {
    const nn::KvLayout layout = decoder.cache_layout(options_.dtype.value_or(compute));
    pool_ = std::make_shared<nn::KvPool>(layout, options_.max_bytes > 0 ? options_.max_bytes : half_of_memory());
  }
  return pool_;
}

}  // namespace sensorium::models
