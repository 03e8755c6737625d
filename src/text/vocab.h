// Token strings and their ids, both ways.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace sensorium::text {

// FNV-like mixing over words of 8 bytes; good enough for tables whose keys come from one file or one text.
uint64_t hash_bytes(std::string_view bytes);

class Vocab {
 public:
  static constexpr int32_t kNone = -1;

  void reserve(size_t tokens, size_t bytes);
  // False if the string or the id is taken. 0 <= id.
  bool add(std::string_view token, int32_t id);

  // kNone if there is no such token.
  int32_t find(std::string_view token) const;
  bool has(int32_t id) const { return id >= 0 && id < size() && entries_[static_cast<size_t>(id)].length != kHole; }
  // "" for an id without a token.
  std::string_view token(int32_t id) const;

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }  // one past the greatest id
  int32_t count() const { return count_; }                                // tokens

 private:
  static constexpr uint32_t kHole = std::numeric_limits<uint32_t>::max();
  struct Entry {
    uint32_t offset = 0, length = kHole;
  };

  void grow_table();
  // The slot that holds `token`, or the empty one where it belongs.
  size_t slot_of(std::string_view token) const;

  std::string bytes_;
  std::vector<Entry> entries_;  // by id
  std::vector<int32_t> table_;  // open addressing, power of two; ids or kNone
  int32_t count_ = 0;
};

}  // namespace sensorium::text
