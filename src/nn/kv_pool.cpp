#include "nn/kv_pool.h"

#include "base/error.h"

namespace sensorium::nn {
namespace {

// Keys and values begin at cache lines.
size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t part_rows(const KvLayout& layout) { return static_cast<size_t>(layout.kv_heads * KvLayout::kBlockTokens); }

// Keys or values of one layer.
size_t part_bytes(const KvLayout& layout) {
  const size_t scales = layout.dtype == DType::i8 ? part_rows(layout) * sizeof(float) : 0;
  return layout.scales_offset() + aligned(scales);
}

}  // namespace

size_t KvLayout::scales_offset() const {
  return aligned(part_rows(*this) * static_cast<size_t>(head_dim) * size_of(dtype));
}
size_t KvLayout::keys_offset(int64_t layer) const { return static_cast<size_t>(2 * layer) * part_bytes(*this); }
size_t KvLayout::values_offset(int64_t layer) const { return keys_offset(layer) + part_bytes(*this); }
size_t KvLayout::block_bytes() const { return keys_offset(layers); }
size_t KvLayout::token_bytes() const { return block_bytes() / static_cast<size_t>(kBlockTokens); }

KvBlock::KvBlock(size_t bytes, std::shared_ptr<std::atomic<size_t>> total)
    : memory_(Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8)), total_(std::move(total)) {
  total_->fetch_add(bytes);
}
KvBlock::~KvBlock() { total_->fetch_sub(bytes()); }

KvPool::KvPool(const KvLayout& layout, size_t max_bytes)
    : layout_(layout), max_bytes_(max_bytes), bytes_(std::make_shared<std::atomic<size_t>>(0)) {
  require(layout.layers >= 0 && layout.kv_heads > 0 && layout.head_dim > 0, ErrorKind::shape,
          "a cache of {} layers, {} heads of {}", layout.layers, layout.kv_heads, layout.head_dim);
  require(is_float(layout.dtype) || layout.dtype == DType::i8, ErrorKind::shape,
          "the cache must be f32, bf16, f16 or i8, not {}", name_of(layout.dtype));
}

bool KvPool::evict_one() {
  for (auto it = kept_.end(); it != kept_.begin();) {
    --it;
    if (it->block.use_count() > 1) continue;
    for (const KvKey& key : it->keys) by_key_.erase(key);
    kept_.erase(it);
    ++counts_.evicted;
    return true;
  }
  return false;
}

std::shared_ptr<KvBlock> KvPool::allocate() {
  const std::lock_guard lock(mutex_);
  const size_t bytes = layout_.block_bytes();
  while (bytes_->load() + bytes > max_bytes_) {
    require(evict_one(), ErrorKind::limit,
            "the cache of keys and values is full: {} bytes are in use, {} more do not fit its limit of {}",
            bytes_->load(), bytes, max_bytes_);
  }
  return std::make_shared<KvBlock>(bytes, bytes_);
}

std::shared_ptr<KvBlock> KvPool::find(const KvKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    ++counts_.misses;
    return nullptr;
  }
  ++counts_.hits;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->block;
}

void KvPool::keep(std::span<const KvKey> keys, std::shared_ptr<KvBlock> block) {
  const std::lock_guard lock(mutex_);
  std::vector<KvKey> fresh;
  for (const KvKey& key : keys) {
    if (!by_key_.contains(key)) fresh.push_back(key);
  }
  if (fresh.empty()) return;
  kept_.push_front({fresh, std::move(block)});
  for (const KvKey& key : fresh) by_key_.emplace(key, kept_.begin());
}

void KvPool::clear() {
  const std::lock_guard lock(mutex_);
  while (evict_one()) {
  }
}

KvPool::Statistics KvPool::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics result = counts_;
  result.bytes = bytes_->load();
  result.max_bytes = max_bytes_;
  result.kept = kept_.size();
  return result;
}

}  // namespace sensorium::nn
