// Byte-pair encoding of one word (Sennrich et al. 2016), with the options of Hugging Face's model type "BPE".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocab.h"

namespace sensorium::text {

// Merge of two tokens; a merge's place in the list is its rank.
struct MergeRule {
  int32_t left, right, result;
};

struct BpeOptions {
  std::optional<std::string> unk_token;
  std::string continuing_subword_prefix;
  std::string end_of_word_suffix;
  bool fuse_unk = false;
  bool byte_fallback = false;  // unknown characters become tokens "<0x41>", one a byte
  bool ignore_merges = false;  // a word that is a token is taken whole
};

// What the words are made of.
enum class Alphabet {
  utf8,   // characters, as in the vocabulary
  bytes,  // any bytes; the vocabulary has them in the byte alphabet
};

// (left, right) -> (rank, result): open addressing, one cache line a look-up in most cases.
class MergeTable {
 public:
  struct Hit {
    int32_t rank, result;
  };
  static constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();

  // A pair that occurs twice keeps its last rank, as in the reference.
  explicit MergeTable(std::span<const MergeRule> merges);

  Hit find(int32_t left, int32_t right) const {
    const uint64_t key = make_key(left, right);
    for (size_t slot = mix(key) & mask_;; slot = (slot + 1) & mask_) {
      if (slots_[slot].key == key) return slots_[slot].hit;
      if (slots_[slot].key == kEmpty) return {kNoRank, Vocab::kNone};
    }
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};  // ids are not negative
  struct Slot {
    uint64_t key = kEmpty;
    Hit hit{kNoRank, Vocab::kNone};
  };
  static uint64_t make_key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  static size_t mix(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return static_cast<size_t>(key ^ key >> 32);
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
};

// A word of 1 to 24 bytes as three numbers, which with its size are equal for equal words only.
struct WordKey {
  static constexpr size_t kMaxBytes = 24;

  explicit WordKey(std::string_view word);
  bool operator==(const WordKey&) const = default;
  size_t hash() const;

  uint64_t first, middle = 0, last = 0;
  uint32_t size;
};

// The ids of words seen before: direct-mapped, one cache line an entry. One thread at a time.
class WordCache {
 public:
  WordCache() : entries_(kEntries) {}

  // Appends the word's ids and returns true if it is here.
  bool append(const WordKey& key, std::vector<int32_t>& ids) const {
    const Entry& entry = entries_[key.hash() % kEntries];
    if (entry.size != key.size || entry.first != key.first || entry.middle != key.middle || entry.last != key.last) {
      return false;
    }
    if (entry.count == 1) {
      ids.push_back(entry.ids[0]);
    } else {
      ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    }
    return true;
  }
  void put(const WordKey& key, std::span<const int32_t> ids);

 private:
  // Enough for the few ten thousand words that make up most of a text; 2 MB.
  static constexpr size_t kEntries = size_t{1} << 15;
  static constexpr size_t kMaxIds = 9;

  struct alignas(64) Entry {
    uint64_t first = 0, middle = 0, last = 0;
    uint16_t size = 0, count = 0;
    std::array<int32_t, kMaxIds> ids;
  };
  static_assert(sizeof(Entry) == 64);
  std::vector<Entry> entries_;
};

// Caches that wait for a thread that needs one; they outlive single calls.
class WordCachePool {
 public:
  class Lease {
   public:
    explicit Lease(WordCachePool& pool);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    WordCache& operator*() const { return *cache_; }

   private:
    WordCachePool& pool_;
    std::unique_ptr<WordCache> cache_;
  };

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> free_;
};

class BpeModel {
 public:
  // `vocab` is as in the file. Ids in `control` are never the result of a merge or of ignore_merges: text must not
  // spell a control token. Throws Error(invalid_data) if the unknown token is not in the vocabulary.
  BpeModel(Vocab vocab, std::vector<MergeRule> merges, BpeOptions options, Alphabet alphabet,
           std::span<const int32_t> control);

  // Appends the ids of one word, which must be valid UTF-8 for Alphabet::utf8. O(n log n) in the word's length.
  void encode(std::string_view word, std::vector<int32_t>& ids) const;
  // The same through a cache of this model's words.
  void encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const;

  // Whether words may be cut before each `mark` that follows another character without a change of the ids, because no
  // merge crosses such a place.
  bool may_cut_before(std::string_view mark) const;

  const Vocab& vocab() const { return vocab_; }
  const std::vector<MergeRule>& merges() const { return merges_; }
  const BpeOptions& options() const { return options_; }
  Alphabet alphabet() const { return alphabet_; }

 private:
  void first_symbols(std::string_view word, std::vector<int32_t>& ids) const;
  int32_t symbol_of(std::string_view character, bool first, bool last) const;
  // The tokens <0xXX> of a character's bytes; false if one is missing.
  bool append_bytes(std::string_view character, std::vector<int32_t>& ids) const;
  void merge_short(std::span<int32_t> symbols, std::vector<int32_t>& ids) const;
  void merge_long(std::span<const int32_t> symbols, std::vector<int32_t>& ids) const;

  Vocab vocab_;
  std::vector<MergeRule> merges_;
  BpeOptions options_;
  Alphabet alphabet_;
  std::vector<bool> is_control_;
  MergeTable table_;
  int32_t unk_id_ = Vocab::kNone;
  std::array<int32_t, 256> byte_tokens_;                             // <0xXX>
  std::array<std::array<std::array<int32_t, 256>, 2>, 2> one_byte_;  // [first][last][byte]: symbols of one byte
};

}  // namespace sensorium::text
