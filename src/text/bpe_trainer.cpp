#include "text/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

using WordCounts = std::unordered_map<std::string, int64_t>;

// How much text is split at once over the threads.
constexpr size_t kBatchBytes = 8 << 20, kChunkBytes = 128 << 10;

// Splits texts into words and counts them.
class WordCounter {
 public:
  explicit WordCounter(const std::string& pattern)
      : rule_(rule_for_pattern(pattern)), counts_(static_cast<size_t>(thread_count())) {
    if (!rule_) regex_.emplace(pattern);
  }

  void add(std::string text) {
    if (!is_valid_utf8(text)) text = repair_utf8(text);
    batch_bytes_ += text.size();
    batch_.push_back(std::move(text));
    if (batch_bytes_ >= kBatchBytes) count_batch();
  }

  WordCounts finish() {
    count_batch();
    WordCounts all = std::move(counts_[0]);
    for (size_t i = 1; i < counts_.size(); ++i) {
      for (const auto& [word, count] : counts_[i]) all[word] += count;
    }
    return all;
  }

 private:
  void count_batch() {
    std::vector<std::string_view> chunks;
    for (const std::string_view text : batch_) {
      for (size_t begin = 0; begin < text.size();) {
        // Only the hand-written rules are known to start a word at a safe split.
        const size_t end = rule_ ? safe_split(text, begin + kChunkBytes) : text.size();
        chunks.push_back(text.substr(begin, end - begin));
        begin = end;
      }
    }
    parallel_for(static_cast<int64_t>(chunks.size()), 1, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; ++i) {
        count_words(chunks[static_cast<size_t>(i)], counts_[static_cast<size_t>(thread)]);
      }
    });
    batch_.clear();
    batch_bytes_ = 0;
  }

  void count_words(std::string_view text, WordCounts& counts) const {
    std::string word;
    const auto count = [&](size_t begin, size_t end) {
      if (begin == end) return;
      word.assign(text, begin, end - begin);
      ++counts[word];
    };
    if (rule_) {
      for (size_t begin = 0; begin < text.size();) {
        const size_t end = begin + first_word(*rule_, text.substr(begin));
        count(begin, end);
        begin = end;
      }
      return;
    }
    size_t done = 0;
    regex_->find_all(text, [&](Span match) {
      count(done, match.begin);
      count(match.begin, match.end);
      done = match.end;
    });
    count(done, text.size());
  }

  std::optional<SplitRule> rule_;
  std::optional<Regex> regex_;
  std::vector<WordCounts> counts_;  // by thread
  std::vector<std::string> batch_;
  size_t batch_bytes_ = 0;
};

using PairKey = uint64_t;             // left id, right id: its order is that of the pairs
using Places = std::vector<int32_t>;  // words, ascending, none twice

PairKey make_pair_key(int32_t left, int32_t right) {
  return static_cast<PairKey>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// Merges pairs in words, and keeps the count of every pair up to date.
class PairMerger {
 public:
  PairMerger(const WordCounts& words, const std::array<int32_t, 256>& byte_ids) {
    for (const auto& [word, count] : words) {
      const auto begin = static_cast<uint32_t>(symbols_.size());
      for (const char byte : word) symbols_.push_back(byte_ids[static_cast<uint8_t>(byte)]);
      words_.push_back({begin, static_cast<uint32_t>(word.size()), count});
    }
    std::unordered_map<PairKey, Places> places;
    for (size_t i = 0; i < words_.size(); ++i) {
      const auto word = symbols_of(words_[i]);
      for (size_t k = 0; k + 1 < word.size(); ++k) {
        const PairKey pair = make_pair_key(word[k], word[k + 1]);
        counts_[pair] += words_[i].count;
        note_place(places, pair, static_cast<int32_t>(i));
      }
    }
    enqueue(places);
  }

  // The most frequent pair; false if none is left that occurs.
  bool pop(int64_t min_frequency, PairKey& pair, Places& places) {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      Candidate top = std::move(heap_.back());
      heap_.pop_back();
      const int64_t count = counts_[top.pair];
      if (top.count != count) {
        top.count = count;
        push(std::move(top));
        continue;
      }
      if (count < 1 || count < min_frequency) return false;
      pair = top.pair;
      places = std::move(top.places);
      return true;
    }
    return false;
  }

  void merge(PairKey pair, int32_t result, const Places& places) {
    const auto left = static_cast<int32_t>(pair >> 32), right = static_cast<int32_t>(pair & 0xFFFFFFFF);
    std::unordered_map<PairKey, Places> grown;
    for (const int32_t place : places) merge_word(left, right, result, place, grown);
    enqueue(grown);
  }

 private:
  struct TrainWord {
    uint32_t begin, size;
    int64_t count;
  };
  struct Candidate {
    int64_t count;
    PairKey pair;
    Places places;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  std::span<int32_t> symbols_of(const TrainWord& word) { return std::span(symbols_).subspan(word.begin, word.size); }

  static void note_place(std::unordered_map<PairKey, Places>& places, PairKey pair, int32_t word) {
    Places& list = places[pair];
    if (list.empty() || list.back() != word) list.push_back(word);
  }

  void enqueue(std::unordered_map<PairKey, Places>& places) {
    for (auto& [pair, list] : places) {
      const int64_t count = counts_[pair];
      if (count > 0) push({count, pair, std::move(list)});
    }
  }

  void push(Candidate candidate) {
    heap_.push_back(std::move(candidate));
    std::push_heap(heap_.begin(), heap_.end());
  }

  void merge_word(int32_t left, int32_t right, int32_t result, int32_t place,
                  std::unordered_map<PairKey, Places>& grown) {
    TrainWord& word = words_[static_cast<size_t>(place)];
    const auto symbols = symbols_of(word);
    const auto add = [&](int32_t a, int32_t b) {
      const PairKey key = make_pair_key(a, b);
      counts_[key] += word.count;
      note_place(grown, key, place);
    };
    const auto remove = [&](int32_t a, int32_t b) { counts_[make_pair_key(a, b)] -= word.count; };
    size_t kept = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      if (symbols[i] != left || i + 1 >= symbols.size() || symbols[i + 1] != right) {
        symbols[kept++] = symbols[i];
        continue;
      }
      if (kept > 0) {
        remove(symbols[kept - 1], left);
        add(symbols[kept - 1], result);
      }
      if (i + 2 < symbols.size()) {
        remove(right, symbols[i + 2]);
        add(result, symbols[i + 2]);
      }
      symbols[kept++] = result;
      ++i;
    }
    word.size = static_cast<uint32_t>(kept);
  }

  std::vector<int32_t> symbols_;  // of all words
  std::vector<TrainWord> words_;
  std::unordered_map<PairKey, int64_t> counts_;
  std::vector<Candidate> heap_;
};

// The special tokens, then the 256 bytes in the order of their stand-ins' code points.
std::array<int32_t, 256> start_vocab(const TrainOptions& options, Vocab& vocab) {
  for (const std::string& token : options.special_tokens) {
    require(!token.empty() && vocab.add(token, vocab.count()), ErrorKind::usage,
            "the special token '{}' is empty or stands twice", token);
  }
  std::array<int32_t, 256> byte_ids{};
  for (char32_t c = 0; c < 0x200; ++c) {
    const int byte = char_to_byte(c);
    if (byte < 0) continue;
    std::string token;
    append_utf8(token, c);
    vocab.add(token, vocab.count());
    byte_ids[static_cast<size_t>(byte)] = vocab.find(token);
  }
  return byte_ids;
}

BpeParts learn(const WordCounts& words, const TrainOptions& options) {
  BpeParts parts;
  const auto byte_ids = start_vocab(options, parts.vocab);
  require(options.vocab_size >= parts.vocab.count(), ErrorKind::usage,
          "vocab_size is {}, the bytes and the special tokens alone are {}", options.vocab_size, parts.vocab.count());
  PairMerger merger(words, byte_ids);
  PairKey pair = 0;
  Places places;
  while (parts.vocab.count() < options.vocab_size && merger.pop(options.min_frequency, pair, places)) {
    const auto left = static_cast<int32_t>(pair >> 32), right = static_cast<int32_t>(pair & 0xFFFFFFFF);
    std::string token(parts.vocab.token(left));
    token += parts.vocab.token(right);
    // Two pairs may spell the same token; it exists once.
    int32_t result = parts.vocab.find(token);
    if (result == Vocab::kNone) {
      result = parts.vocab.count();
      parts.vocab.add(token, result);
    }
    parts.merges.push_back({left, right, result});
    merger.merge(pair, result, places);
  }
  return parts;
}

// A pair that was merged twice (its second half of places came later) counts from the last time on.
void drop_repeated_merges(std::vector<MergeRule>& merges) {
  std::unordered_map<PairKey, size_t> last;
  for (size_t rank = 0; rank < merges.size(); ++rank) last[make_pair_key(merges[rank].left, merges[rank].right)] = rank;
  std::vector<MergeRule> kept;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    if (last[make_pair_key(merges[rank].left, merges[rank].right)] == rank) kept.push_back(merges[rank]);
  }
  merges = std::move(kept);
}

}  // namespace

std::unique_ptr<BpeTokenizer> train_bpe(const TextSource& texts, const TrainOptions& options) {
  WordCounter counter(options.pattern);
  for (std::string text; texts(text); text.clear()) counter.add(std::move(text));
  BpeParts parts = learn(counter.finish(), options);
  drop_repeated_merges(parts.merges);
  for (const std::string& token : options.special_tokens) {
    AddedToken added;
    added.id = parts.vocab.find(token);
    added.content = token;
    added.special = true;
    parts.pipeline.added.push_back(std::move(added));
  }
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", options.pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  parts.pipeline.pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level})}};
  parts.pipeline.decoder = byte_level;
  return std::make_unique<BpeTokenizer>(std::move(parts));
}

std::unique_ptr<BpeTokenizer> train_bpe(std::span<const std::string> texts, const TrainOptions& options) {
  size_t next = 0;
  return train_bpe(
      [&](std::string& text) {
        if (next == texts.size()) return false;
        text = texts[next++];
        return true;
      },
      options);
}

}  // namespace sensorium::text
