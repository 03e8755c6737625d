#include "nn/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "kernels/table.h"

namespace sensorium::nn {
namespace {

constexpr int64_t kRows = KvLayout::kBlockTokens;

int64_t blocks_for(int64_t tokens) { return (tokens + kRows - 1) / kRows; }

}  // namespace

KvCache::KvCache(std::shared_ptr<KvPool> pool, int64_t capacity) : pool_(std::move(pool)), capacity_(capacity) {
  require(capacity >= 0, ErrorKind::shape, "a cache of {} tokens", capacity);
}

void KvCache::reserve(int64_t rows) {
  require(rows >= 0 && length_ + rows <= capacity_, ErrorKind::limit,
          "the cache holds {} tokens of {}; {} more do not fit", length_, capacity_, rows);
  if (rows == 0) return;
  // The block that the next row goes to may be another's too.
  const auto next = static_cast<size_t>(length_ / kRows);
  if (next < blocks_.size() && blocks_[next].use_count() > 1) {
    std::shared_ptr<KvBlock> own = pool_->allocate();
    std::memcpy(own->data(), blocks_[next]->data(), own->bytes());
    pages_[next] = own->data();
    blocks_[next] = std::move(own);
  }
  while (static_cast<int64_t>(blocks_.size()) < blocks_for(length_ + rows)) {
    blocks_.push_back(pool_->allocate());
    pages_.push_back(blocks_.back()->data());
  }
}

void KvCache::append(int64_t layer, const void* k, const void* v, DType dtype, int64_t row_stride, int64_t rows) {
  require(rows >= 0 && length_ + rows <= static_cast<int64_t>(blocks_.size()) * kRows, ErrorKind::limit,
          "the cache has no room for {} more tokens behind {}", rows, length_);
  const KvLayout& layout = this->layout();
  const kernels::KernelTable& table = kernels::kernel_table({});
  const auto store = kernels::find_kernel(table.store_kv_rows, table, "store_kv_rows");
  for (int64_t done = 0, some; done < rows; done += some) {
    const int64_t at = length_ + done, first = at % kRows;
    some = std::min(rows - done, kRows - first);
    std::byte* block = blocks_[static_cast<size_t>(at / kRows)]->data();
    const auto write = [&](const void* from, size_t offset) {
      std::byte* part = block + offset;
      const size_t skipped = static_cast<size_t>(done * row_stride) * size_of(dtype);
      store({.rows = some,
             .heads = layout.kv_heads,
             .head_dim = layout.head_dim,
             .x = {static_cast<const std::byte*>(from) + skipped, dtype},
             .x_row_stride = row_stride,
             .page = {part, layout.dtype},
             .scales = layout.dtype == DType::i8 ? reinterpret_cast<float*>(part + layout.scales_offset()) : nullptr,
             .page_rows = kRows,
             .first = first});
    };
    write(k, layout.keys_offset(layer));
    write(v, layout.values_offset(layer));
  }
}

void KvCache::advance(int64_t rows) {
  require(rows >= 0 && length_ + rows <= std::min(capacity_, static_cast<int64_t>(blocks_.size()) * kRows),
          ErrorKind::limit, "the cache holds {} tokens of {}; {} more do not fit", length_, capacity_, rows);
  length_ += rows;
}

void KvCache::truncate(int64_t length) {
  require(length >= 0 && length <= length_, ErrorKind::shape, "cannot keep {} tokens of {}", length, length_);
  length_ = length;
  blocks_.resize(static_cast<size_t>(blocks_for(length)));
  pages_.resize(blocks_.size());
}

void KvCache::adopt(std::shared_ptr<KvBlock> block, int64_t tokens) {
  const bool at_border = length_ % kRows == 0 && static_cast<int64_t>(blocks_.size()) == length_ / kRows;
  require(at_border && tokens > 0 && tokens <= kRows && length_ + tokens <= capacity_, ErrorKind::shape,
          "a cache of {} tokens of {} takes no {} of a block", length_, capacity_, tokens);
  pages_.push_back(block->data());
  blocks_.push_back(std::move(block));
  length_ += tokens;
}

KvBatch::KvBatch(std::span<KvCache* const> caches, const ops::Sequences& sequences)
    : caches_(caches.begin(), caches.end()), sequences_(sequences), key_offsets_{0} {
  require(!caches_.empty() && sequences.count() == caches_.size(), ErrorKind::shape, "{} sequences for {} caches",
          sequences.count(), caches_.size());
  for (size_t i = 0; i < caches_.size(); ++i) {
    KvCache& cache = *caches_[i];
    require(cache.layout() == layout(), ErrorKind::shape, "the caches of one pass must be alike");
    const int32_t rows = sequences.offsets[i + 1] - sequences.offsets[i];
    cache.reserve(rows);
    first_page_.push_back(static_cast<int32_t>(pages_.size()));
    pages_.insert(pages_.end(), cache.pages().begin(), cache.pages().end());
    key_offsets_.push_back(key_offsets_.back() + static_cast<int32_t>(cache.length()) + rows);
  }
}

void KvBatch::advance() {
  for (size_t i = 0; i < caches_.size(); ++i) caches_[i]->advance(sequences_.offsets[i + 1] - sequences_.offsets[i]);
}

}  // namespace sensorium::nn
