// The memory that the key/value caches of one model's sequences share: blocks of 64 tokens, counted by their owners, and the
// blocks of prompts kept to be used again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/sha256.h"
#include "tensor/tensor.h"

namespace sensorium::nn {

// How a block is laid out: for every layer its keys, then its values; each [kv_heads, 64, head_dim] and, of i8, the scales f32
// [kv_heads, 64] behind them (kernels/attention.h: KvPages).
struct KvLayout {
  static constexpr int64_t kBlockTokens = 64;
  // A part of a block is found again too, if it is so many of its first tokens, or a multiple.
  static constexpr int64_t kKeyTokens = 16;

  int64_t layers = 0, kv_heads = 0, head_dim = 0;
  DType dtype = DType::bf16;  // f32, bf16, f16, or i8 with a scale per head and token

  // Bytes of one token in all layers.
  size_t token_bytes() const;
  size_t block_bytes() const;
  // From the start of a block.
  size_t keys_offset(int64_t layer) const;
  size_t values_offset(int64_t layer) const;
  // i8: from the offset of keys or values to their scales.
  size_t scales_offset() const;
  friend bool operator==(const KvLayout&, const KvLayout&) = default;
};

class KvBlock;

// What some first tokens of a block and all before the block are: a name under which the block is kept.
using KvKey = Sha256Digest;

// Thread-safe. Blocks may outlive the pool.
class KvPool {
 public:
  // `max_bytes`: of all blocks, those of sequences and those kept. Throws Error(shape) for a layout that is none.
  KvPool(const KvLayout& layout, size_t max_bytes);

  const KvLayout& layout() const { return layout_; }
  // A block with undefined contents. Where the limit is reached, kept blocks that no sequence uses go first, the one used
  // longest ago before others. Throws Error(limit) if all are in use.
  std::shared_ptr<KvBlock> allocate();
  // The block kept under a key, or null.
  std::shared_ptr<KvBlock> find(const KvKey& key);
  // Keeps a block under the keys of its first tokens, which are written and will not change; keys that another block has stay its
  // own.
  void keep(std::span<const KvKey> keys, std::shared_ptr<KvBlock> block);
  // Forgets what no sequence uses.
  void clear();

  struct Statistics {
    size_t bytes = 0, max_bytes = 0;             // of all blocks
    size_t kept = 0;                             // blocks
    uint64_t hits = 0, misses = 0, evicted = 0;  // of find(); of kept blocks
  };
  Statistics statistics() const;

 private:
  struct Kept {
    std::vector<KvKey> keys;
    std::shared_ptr<KvBlock> block;
  };
  bool evict_one();

  KvLayout layout_;
  size_t max_bytes_;
  std::shared_ptr<std::atomic<size_t>> bytes_;  // of living blocks
  mutable std::mutex mutex_;
  std::list<Kept> kept_;  // last used first
  std::map<KvKey, std::list<Kept>::iterator> by_key_;
  Statistics counts_;
};

class KvBlock {
 public:
  KvBlock(size_t bytes, std::shared_ptr<std::atomic<size_t>> total);
  ~KvBlock();
  KvBlock(const KvBlock&) = delete;
  KvBlock& operator=(const KvBlock&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_.raw()); }
  size_t bytes() const { return memory_.bytes(); }

 private:
  Tensor memory_;  // u8
  std::shared_ptr<std::atomic<size_t>> total_;
};

}  // namespace sensorium::nn
