#include "text/vocab.h"

#include <algorithm>
#include <cstring>

namespace sensorium::text {

uint64_t hash_bytes(std::string_view bytes) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  uint64_t hash = bytes.size() * kMultiplier;
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t word = 0;
  for (; left >= 8; left -= 8, p += 8) {
    std::memcpy(&word, p, 8);
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  }
  word = 0;
  for (size_t i = 0; i < left; ++i) word |= static_cast<uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i);
  hash = (hash ^ word) * kMultiplier;
  return hash ^ (hash >> 29);
}

void Vocab::reserve(size_t tokens, size_t bytes) {
  entries_.reserve(tokens);
  bytes_.reserve(bytes);
  size_t slots = 16;
  while (slots < 2 * tokens) slots *= 2;
  if (slots > table_.size() && count_ == 0) table_.assign(slots, kNone);
}

size_t Vocab::slot_of(std::string_view wanted) const {
  const size_t mask = table_.size() - 1;
  size_t slot = hash_bytes(wanted) & mask;
  while (table_[slot] != kNone && token(table_[slot]) != wanted) slot = (slot + 1) & mask;
  return slot;
}

void Vocab::grow_table() {
  table_.assign(std::max<size_t>(16, table_.size() * 2), kNone);
  for (int32_t id = 0; id < size(); ++id) {
    if (has(id)) table_[slot_of(token(id))] = id;
  }
}

bool Vocab::add(std::string_view token, int32_t id) {
  if (static_cast<size_t>(count_) * 2 >= table_.size()) grow_table();
  const size_t slot = slot_of(token);
  if (table_[slot] != kNone || has(id)) return false;
  if (id >= size()) entries_.resize(static_cast<size_t>(id) + 1);
  entries_[static_cast<size_t>(id)] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(token.size())};
  bytes_ += token;
  table_[slot] = id;
  ++count_;
  return true;
}

int32_t Vocab::find(std::string_view wanted) const { return table_.empty() ? kNone : table_[slot_of(wanted)]; }

std::string_view Vocab::token(int32_t id) const {
  if (!has(id)) return {};
  const Entry& entry = entries_[static_cast<size_t>(id)];
  return std::string_view(bytes_).substr(entry.offset, entry.length);
}

}  // namespace sensorium::text
