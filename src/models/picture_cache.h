// Remembers what was computed of pictures, by their content, so that the next question, turn or request about the same picture
// starts at once.
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "base/sha256.h"
#include "media/image.h"

namespace sensorium::models {

// SHA-256 of a picture's size and pixels.
inline Sha256Digest content_digest(const media::Image& image) {
  Sha256 hash;
  for (const int value : {image.width, image.height, image.channels}) {
    hash.update({reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
  }
  hash.update(image.pixels);
  return hash.digest();
}

// Thread-safe; values are computed one at a time.
template <typename Value>
class PictureCache {
 public:
  struct Entry {
    Sha256Digest content;
    std::shared_ptr<const Value> value;
  };

  // `bytes_of` says what a value takes; of more than `max_bytes` the ones used longest ago are forgotten.
  explicit PictureCache(std::function<size_t(const Value&)> bytes_of, size_t max_bytes = size_t{256} << 20)
      : bytes_of_(std::move(bytes_of)), max_bytes_(max_bytes) {}

  // compute(image) gives the value of a picture that is not remembered.
  template <typename Compute>
  Entry get(const std::shared_ptr<const media::Image>& image, Compute&& compute) {
    const std::lock_guard lock(mutex_);
    const Sha256Digest content = digest_of(image);
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.content == content; });
    if (found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
      return entries_.front();
    }
    entries_.push_front({content, std::make_shared<const Value>(compute(*image))});
    bytes_ += bytes_of_(*entries_.front().value);
    while (bytes_ > max_bytes_ && entries_.size() > 1) {
      bytes_ -= bytes_of_(*entries_.back().value);
      entries_.pop_back();
    }
    return entries_.front();
  }

 private:
  // A picture whose owner still lives has not changed: its pixels are read once.
  const Sha256Digest& digest_of(const std::shared_ptr<const media::Image>& image) {
    std::erase_if(known_, [](const Known& known) { return known.image.expired(); });
    const auto found =
        std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.image.lock() == image; });
    if (found != known_.end()) return found->content;
    return known_.emplace_back(Known{image, content_digest(*image)}).content;
  }

  struct Known {
    std::weak_ptr<const media::Image> image;
    Sha256Digest content;
  };
  std::function<size_t(const Value&)> bytes_of_;
  size_t max_bytes_, bytes_ = 0;
  std::mutex mutex_;
  std::list<Entry> entries_;  // last used first
  std::vector<Known> known_;
};

}  // namespace sensorium::models
