// Keys and values of the tokens that one sequence has seen, for step-by-step generation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nn/kv_pool.h"
#include "ops/ops.h"

namespace sensorium::nn {

// A list of blocks of a pool. Copies share their blocks: a copy is a fork of the sequence, and who writes into a block that
// another has too gets its own first. One thread at a time may use the caches of a pool.
class KvCache {
 public:
  KvCache() = default;
  // `capacity`: the most tokens it may hold.
  KvCache(std::shared_ptr<KvPool> pool, int64_t capacity);

  const KvLayout& layout() const { return pool_->layout(); }
  int64_t capacity() const { return capacity_; }
  int64_t length() const { return length_; }

  // Makes room for rows behind those that are there; before a pass through the layers. Throws Error(limit): the capacity, or
  // the pool's memory.
  void reserve(int64_t rows);
  // Writes rows (k and v [rows, kv_heads * head_dim] with row stride `row_stride` elements, f32 or bf16) of one layer behind
  // those that are there. advance() counts them once all layers have theirs. Throws Error(limit) without room.
  void append(int64_t layer, const void* k, const void* v, DType dtype, int64_t row_stride, int64_t rows);
  void advance(int64_t rows);
  // Forgets all tokens from `length` on.
  void truncate(int64_t length);

  // Takes the first `tokens` (1..64) of a block that another sequence with the same tokens has written; the cache must end at a
  // block's border.
  void adopt(std::shared_ptr<KvBlock> block, int64_t tokens);
  const std::vector<std::shared_ptr<KvBlock>>& blocks() const { return blocks_; }
  // The blocks' memory, in the order of their tokens: what KvPages takes.
  std::span<const void* const> pages() const { return pages_; }

 private:
  std::shared_ptr<KvPool> pool_;
  int64_t capacity_ = 0, length_ = 0;
  std::vector<std::shared_ptr<KvBlock>> blocks_;
  std::vector<const void*> pages_;
};

// The caches of the sequences that go through a model in one pass, with room for the rows of the pass.
class KvBatch {
 public:
  // `sequences`: how many rows each cache gets. Throws Error: shape if their numbers differ or the caches are not alike, limit
  // as KvCache::reserve.
  KvBatch(std::span<KvCache* const> caches, const ops::Sequences& sequences);

  size_t count() const { return caches_.size(); }
  const KvLayout& layout() const { return caches_.front()->layout(); }
  const ops::Sequences& sequences() const { return sequences_; }
  KvCache& cache(size_t i) const { return *caches_[i]; }
  // Once all layers have their rows.
  void advance();

  // For KvPages: the pages of all caches, the first of each, and the numbers of keys (those of this pass included) as offsets.
  const void* const* pages() const { return pages_.data(); }
  const int32_t* first_page() const { return first_page_.data(); }
  const int32_t* key_offsets() const { return key_offsets_.data(); }

 private:
  std::vector<KvCache*> caches_;
  ops::Sequences sequences_;
  std::vector<const void*> pages_;
  std::vector<int32_t> first_page_, key_offsets_;
};

}  // namespace sensorium::nn
