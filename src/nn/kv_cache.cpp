#include "nn/kv_cache.h"

#include <cstring>

#include "kernels/table.h"

namespace sensorium::nn {

KvCache::KvCache(const KvCacheConfig& config) : config_(config) {
  require(
      config.layers >= 0 && config.kv_heads > 0 && config.head_dim > 0 && config.capacity >= 0 && config.sequences > 0,
      ErrorKind::shape, "cache of {} layers, {} heads of {}, {} tokens, {} sequences", config.layers, config.kv_heads,
      config.head_dim, config.capacity, config.sequences);
  require(is_float(config.dtype), ErrorKind::shape, "the cache must be float, not {}", name_of(config.dtype));
  // Pages of the system's memory are taken when they are written: a long context costs nothing until it is used.
  memory_ = Tensor::empty({config.layers, 2, config.sequences, config.capacity, config.kv_heads, config.head_dim},
                          config.dtype);
  lengths_.assign(static_cast<size_t>(config.sequences), 0);
}

void KvCache::append(int64_t layer, int64_t sequence, const void* k, const void* v, DType dtype, int64_t row_stride,
                     int64_t rows) {
  const int64_t start = length(sequence), width = config_.kv_heads * config_.head_dim;
  require(rows >= 0 && start + rows <= config_.capacity, ErrorKind::limit,
          "the cache holds {} tokens of {}; {} more do not fit", start, config_.capacity, rows);
  const size_t row_bytes = static_cast<size_t>(width) * size_of(config_.dtype);
  const size_t step = static_cast<size_t>(row_stride) * size_of(dtype);
  const auto copy = [&](const void* from, const void* to) {
    const auto* source = static_cast<const std::byte*>(from);
    auto* target = static_cast<std::byte*>(const_cast<void*>(to)) + static_cast<size_t>(start) * row_bytes;
    for (int64_t row = 0; row < rows; ++row, source += step, target += row_bytes) {
      if (dtype == config_.dtype) {
        std::memcpy(target, source, row_bytes);
      } else {
        const kernels::KernelTable& table = kernels::kernel_table(memory_.device());
        kernels::find_kernel(table.cast, table,
                             "cast")({.count = width, .x = {source, dtype}, .y = {target, config_.dtype}});
      }
    }
  };
  copy(k, keys(layer, sequence));
  copy(v, values(layer, sequence));
}

void KvCache::advance(int64_t sequence, int64_t rows) {
  int64_t& length = lengths_[static_cast<size_t>(sequence)];
  require(rows >= 0 && length + rows <= config_.capacity, ErrorKind::limit,
          "the cache holds {} tokens of {}; {} more do not fit", length, config_.capacity, rows);
  length += rows;
}

void KvCache::truncate(int64_t sequence, int64_t length) {
  int64_t& stored = lengths_[static_cast<size_t>(sequence)];
  require(length >= 0 && length <= stored, ErrorKind::shape, "cannot keep {} tokens of {}", length, stored);
  stored = length;
}

const void* KvCache::keys(int64_t layer, int64_t sequence) const {
  const int64_t block = config_.capacity * config_.kv_heads * config_.head_dim;
  const int64_t index = 2 * layer * config_.sequences + sequence;
  return static_cast<const std::byte*>(memory_.raw()) + static_cast<size_t>(index * block) * size_of(config_.dtype);
}

const void* KvCache::values(int64_t layer, int64_t sequence) const {
  const int64_t block = config_.capacity * config_.kv_heads * config_.head_dim;
  return static_cast<const std::byte*>(keys(layer, sequence)) +
         static_cast<size_t>(config_.sequences * block) * size_of(config_.dtype);
}

}  // namespace sensorium::nn
