#include "text/bpe_model.h"

#include <algorithm>
#include <cstring>
#include <queue>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

// Up to here a scan for the lowest rank beats a heap.
constexpr size_t kShortWord = 48;

template <typename T>
T load(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

std::vector<MergeRule> without_control(std::vector<MergeRule> merges, const std::vector<bool>& is_control) {
  std::erase_if(merges, [&](const MergeRule& rule) { return is_control[static_cast<size_t>(rule.result)]; });
  return merges;
}

std::vector<bool> mark_control(std::span<const int32_t> control, int32_t size) {
  std::vector<bool> marks(static_cast<size_t>(size));
  for (const int32_t id : control) {
    if (id >= 0 && id < size) marks[static_cast<size_t>(id)] = true;
  }
  return marks;
}

}  // namespace

MergeTable::MergeTable(std::span<const MergeRule> merges) {
  size_t size = 16;
  while (size < 2 * merges.size()) size *= 2;
  slots_.resize(size);
  mask_ = size - 1;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t key = make_key(merges[rank].left, merges[rank].right);
    size_t slot = mix(key) & mask_;
    while (slots_[slot].key != kEmpty && slots_[slot].key != key) slot = (slot + 1) & mask_;
    slots_[slot] = {key, {static_cast<int32_t>(rank), merges[rank].result}};
  }
}

WordKey::WordKey(std::string_view word) : size(static_cast<uint32_t>(word.size())) {
  const char* p = word.data();
  const size_t n = word.size();
  if (n > 16) {
    first = load<uint64_t>(p);
    middle = load<uint64_t>(p + 8);
    last = load<uint64_t>(p + n - 8);
  } else if (n > 8) {
    first = load<uint64_t>(p);
    last = load<uint64_t>(p + n - 8);
  } else if (n >= 4) {
    first = load<uint32_t>(p) | static_cast<uint64_t>(load<uint32_t>(p + n - 4)) << 32;
  } else {
    first = load<uint8_t>(p) | static_cast<uint64_t>(load<uint8_t>(p + n / 2)) << 8 |
            static_cast<uint64_t>(load<uint8_t>(p + n - 1)) << 16;
  }
}

size_t WordKey::hash() const {
  constexpr uint64_t kOdd1 = 0x9E3779B97F4A7C15u, kOdd2 = 0xD6E8FEB86659FD93u, kOdd3 = 0xA0761D6478BD642Fu;
  const uint64_t mixed = (first ^ size) * kOdd1 + middle * kOdd2 + last * kOdd3;
  return static_cast<size_t>(mixed ^ mixed >> 32);
}

void WordCache::put(const WordKey& key, std::span<const int32_t> ids) {
  if (ids.size() > kMaxIds) return;
  Entry& entry = entries_[key.hash() % kEntries];
  entry.first = key.first;
  entry.middle = key.middle;
  entry.last = key.last;
  entry.size = static_cast<uint16_t>(key.size);
  entry.count = static_cast<uint16_t>(ids.size());
  std::copy(ids.begin(), ids.end(), entry.ids.begin());
}

WordCachePool::Lease::Lease(WordCachePool& pool) : pool_(pool) {
  {
    std::lock_guard lock(pool_.mutex_);
    if (!pool_.free_.empty()) {
      cache_ = std::move(pool_.free_.back());
      pool_.free_.pop_back();
    }
  }
  if (!cache_) cache_ = std::make_unique<WordCache>();
}

WordCachePool::Lease::~Lease() {
  std::lock_guard lock(pool_.mutex_);
  pool_.free_.push_back(std::move(cache_));
}

BpeModel::BpeModel(Vocab vocab, std::vector<MergeRule> merges, BpeOptions options, Alphabet alphabet,
                   std::span<const int32_t> control)
    : vocab_(std::move(vocab)),
      merges_(std::move(merges)),
      options_(std::move(options)),
      alphabet_(alphabet),
      is_control_(mark_control(control, vocab_.size())),
      table_(without_control(merges_, is_control_)) {
  if (options_.unk_token) {
    unk_id_ = vocab_.find(*options_.unk_token);
    require(unk_id_ != Vocab::kNone, ErrorKind::invalid_data, "the unknown token '{}' is not in the vocabulary",
            *options_.unk_token);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto index = static_cast<size_t>(byte);
    byte_tokens_[index] = vocab_.find(fmt::format("<0x{:02X}>", byte));
    std::string character;
    append_utf8(character,
                alphabet_ == Alphabet::bytes ? byte_to_char(static_cast<uint8_t>(byte)) : static_cast<char32_t>(byte));
    for (const bool first : {false, true}) {
      for (const bool last : {false, true}) one_byte_[first][last][index] = symbol_of(character, first, last);
    }
  }
}

int32_t BpeModel::symbol_of(std::string_view character, bool first, bool last) const {
  if ((first || options_.continuing_subword_prefix.empty()) && (!last || options_.end_of_word_suffix.empty())) {
    return vocab_.find(character);
  }
  std::string token;
  if (!first) token += options_.continuing_subword_prefix;
  token += character;
  if (last) token += options_.end_of_word_suffix;
  return vocab_.find(token);
}

bool BpeModel::append_bytes(std::string_view character, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  for (const char byte : character) {
    const int32_t id = byte_tokens_[static_cast<uint8_t>(byte)];
    if (id == Vocab::kNone) {
      ids.resize(before);
      return false;
    }
    ids.push_back(id);
  }
  return true;
}

// The reference keeps an unknown token back until the next known one, and byte tokens pass it; so does this.
void BpeModel::first_symbols(std::string_view word, std::vector<int32_t>& ids) const {
  bool unk_pending = false;
  for (size_t i = 0; i < word.size();) {
    const size_t begin = i;
    if (alphabet_ == Alphabet::bytes) {
      ++i;
    } else {
      next_char(word, i);
    }
    const bool first = begin == 0, last = i == word.size();
    const std::string_view character = word.substr(begin, i - begin);
    const int32_t id = character.size() == 1 ? one_byte_[first][last][static_cast<uint8_t>(character[0])]
                                             : symbol_of(character, first, last);
    if (id != Vocab::kNone) {
      if (std::exchange(unk_pending, false)) ids.push_back(unk_id_);
      ids.push_back(id);
      continue;
    }
    if (options_.byte_fallback) {
      std::string token = alphabet_ == Alphabet::bytes ? to_byte_alphabet(character) : std::string(character);
      if (!first) token.insert(0, options_.continuing_subword_prefix);
      if (last) token += options_.end_of_word_suffix;
      if (append_bytes(token, ids)) continue;
    }
    if (unk_id_ == Vocab::kNone) continue;
    if (unk_pending && !options_.fuse_unk) ids.push_back(unk_id_);
    unk_pending = true;
  }
  if (unk_pending) ids.push_back(unk_id_);
}

void BpeModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.empty()) return;
  if (options_.ignore_merges) {
    const int32_t id = vocab_.find(alphabet_ == Alphabet::bytes ? to_byte_alphabet(word) : std::string(word));
    if (id != Vocab::kNone && !is_control_[static_cast<size_t>(id)]) {
      ids.push_back(id);
      return;
    }
  }
  const size_t before = ids.size();
  first_symbols(word, ids);
  const size_t count = ids.size() - before;
  if (count < 2) return;
  if (count <= kShortWord) {
    std::array<int32_t, kShortWord> symbols;
    std::copy(ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end(), symbols.begin());
    ids.resize(before);
    merge_short(std::span(symbols).first(count), ids);
  } else {
    const std::vector<int32_t> symbols(ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end());
    ids.resize(before);
    merge_long(symbols, ids);
  }
}

void BpeModel::encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const {
  if (word.empty() || word.size() > WordKey::kMaxBytes) return encode(word, ids);
  const WordKey key(word);
  if (cache.append(key, ids)) return;
  const size_t before = ids.size();
  encode(word, ids);
  cache.put(key, std::span(ids).subspan(before));
}

void BpeModel::merge_short(std::span<int32_t> symbols, std::vector<int32_t>& ids) const {
  std::array<MergeTable::Hit, kShortWord> hits;  // hits[i]: the merge of symbols i and i + 1
  size_t count = symbols.size();
  for (size_t i = 0; i + 1 < count; ++i) hits[i] = table_.find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (hits[i].rank < hits[best].rank) best = i;
    }
    if (hits[best].rank == MergeTable::kNoRank) break;
    symbols[best] = hits[best].result;
    std::copy(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              symbols.begin() + static_cast<std::ptrdiff_t>(count),
              symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(hits.begin() + static_cast<std::ptrdiff_t>(best) + 1,
              hits.begin() + static_cast<std::ptrdiff_t>(count) - 1, hits.begin() + static_cast<std::ptrdiff_t>(best));
    --count;
    if (best > 0) hits[best - 1] = table_.find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) hits[best] = table_.find(symbols[best], symbols[best + 1]);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(count));
}

void BpeModel::merge_long(std::span<const int32_t> symbols, std::vector<int32_t>& ids) const {
  struct Symbol {
    int32_t id;  // kNone once it has been merged into the symbol before it
    int32_t previous, next;
  };
  struct Candidate {
    int32_t rank, position, result;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  require(symbols.size() < static_cast<size_t>(std::numeric_limits<int32_t>::max()), ErrorKind::limit,
          "a word of {} characters without a break is too long", symbols.size());
  const auto count = static_cast<int32_t>(symbols.size());
  std::vector<Symbol> chain(symbols.size());
  std::vector<Candidate> candidates;
  candidates.reserve(symbols.size());
  const auto at = [&](int32_t i) -> Symbol& { return chain[static_cast<size_t>(i)]; };
  for (int32_t i = 0; i < count; ++i) {
    at(i) = {symbols[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1};
    if (i + 1 == count) break;
    const auto hit = table_.find(symbols[static_cast<size_t>(i)], symbols[static_cast<size_t>(i) + 1]);
    if (hit.rank != MergeTable::kNoRank) candidates.push_back({hit.rank, i, hit.result});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(std::greater<>(), std::move(candidates));
  const auto propose = [&](int32_t left) {
    if (left < 0 || at(left).next < 0) return;
    const auto hit = table_.find(at(left).id, at(at(left).next).id);
    if (hit.rank != MergeTable::kNoRank) queue.push({hit.rank, left, hit.result});
  };
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = at(top.position);
    if (left.id == Vocab::kNone || left.next < 0) continue;
    Symbol& right = at(left.next);
    if (table_.find(left.id, right.id).result != top.result) continue;  // one of the two has changed since
    left.id = top.result;
    right.id = Vocab::kNone;
    left.next = right.next;
    if (left.next >= 0) at(left.next).previous = top.position;
    propose(left.previous);
    propose(top.position);
  }
  for (int32_t i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
}

bool BpeModel::may_cut_before(std::string_view mark) const {
  if (!options_.continuing_subword_prefix.empty() || !options_.end_of_word_suffix.empty()) return false;
  if (options_.ignore_merges || vocab_.find(mark) == Vocab::kNone) return false;
  return std::none_of(merges_.begin(), merges_.end(), [&](const MergeRule& rule) {
    const std::string_view token = vocab_.token(rule.result);
    for (size_t at = token.find(mark, 1); at != std::string_view::npos; at = token.find(mark, at + 1)) {
      if (!token.substr(0, at).ends_with(mark)) return true;
    }
    return false;
  });
}

}  // namespace sensorium::text
