// The memory that the chat sessions of one model share.
#pragma once

#include <memory>
#include <mutex>

#include "models/decoder/decoder.h"
#include "models/model.h"
#include "nn/kv_pool.h"

namespace sensorium::models {

// Thread-safe.
class DecoderCache {
 public:
  // For sessions that start from now on. What was kept is forgotten.
  void configure(const CacheOptions& options);
  // Made at the first call; keys and values are of type `compute` unless the options say otherwise.
  std::shared_ptr<nn::KvPool> pool(const Decoder& decoder, DType compute);

 private:
  std::mutex mutex_;
  CacheOptions options_;
  std::shared_ptr<nn::KvPool> pool_;
};

}  // namespace sensorium::models
