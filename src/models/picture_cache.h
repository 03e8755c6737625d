// Remembers what was computed of the last pictures, so that the next question, or turn, about the same picture starts at once.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "media/image.h"

namespace sensorium::models {

// Thread-safe; values are computed one at a time.
template <typename Value>
class PictureCache {
 public:
  static constexpr size_t kEntries = 16;

  // compute(image) gives the value of a picture that is not remembered.
  template <typename Compute>
  std::shared_ptr<const Value> get(const std::shared_ptr<const media::Image>& image, Compute&& compute) {
    std::lock_guard lock(mutex_);
    // An owner that still lives is the same picture, not another at the address of one that is gone.
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.image.lock() == image; });
    if (found != entries_.end()) {
      std::rotate(entries_.begin(), found, found + 1);
      return entries_.front().value;
    }
    auto value = std::make_shared<const Value>(compute(*image));
    std::erase_if(entries_, [](const Entry& e) { return e.image.expired(); });
    if (entries_.size() == kEntries) entries_.pop_back();
    entries_.insert(entries_.begin(), {image, value});
    return value;
  }

 private:
  struct Entry {
    std::weak_ptr<const media::Image> image;
    std::shared_ptr<const Value> value;
  };
  std::mutex mutex_;
  std::vector<Entry> entries_;  // last used first
};

}  // namespace sensorium::models
