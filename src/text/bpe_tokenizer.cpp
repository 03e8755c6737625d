#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/threads.h"

namespace sensorium::text {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

// Long enough that handing out a chunk costs nothing, short enough to keep both threads busy to the end.
constexpr size_t kChunkBytes = 64 << 10;

// Runs work(chunk, ids of that chunk) for all chunks over the thread pool and appends the results in order.
template <typename Work>
void encode_chunks(size_t chunks, std::vector<int32_t>& ids, Work&& work) {
  std::vector<std::vector<int32_t>> parts(chunks);
  parallel_for(static_cast<int64_t>(chunks), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) work(static_cast<size_t>(i), parts[static_cast<size_t>(i)]);
  });
  size_t total = ids.size();
  for (const auto& part : parts) total += part.size();
  ids.reserve(total);
  for (const auto& part : parts) ids.insert(ids.end(), part.begin(), part.end());
}

// Cuts before each mark that follows another character.
std::vector<Word> cut_at_marks(const std::vector<Word>& words) {
  std::vector<Word> out;
  for (const Word& word : words) {
    size_t begin = 0;
    for (size_t at = word.text.find(kMark, 1); at != std::string_view::npos; at = word.text.find(kMark, at + 1)) {
      if (word.text.substr(0, at).ends_with(kMark)) continue;
      out.push_back({word.text.substr(begin, at - begin), false});
      begin = at;
    }
    out.push_back({word.text.substr(begin), false});
  }
  return out;
}

}  // namespace

BpeTokenizer::BpeTokenizer(BpeParts parts)
    : PipelineTokenizer(std::move(parts.pipeline)),
      model_(std::move(parts.vocab), std::move(parts.merges), std::move(parts.options), pre_tokenizer().alphabet(),
             control_ids()) {
  list_tokens();
  may_cut_at_marks_ = pre_tokenizer().leaves_whole() && model_.may_cut_before(kMark);
}

void BpeTokenizer::encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  if (pre_tokenizer().rule()) {
    if (pre_tokenizer().adds_prefix_space() && !text.starts_with(' ')) {
      encode_by_rule(" " + std::string(text), ids);
    } else {
      encode_by_rule(text, ids);
    }
    return;
  }
  const WordList list = pre_tokenizer().split(text, at_start);
  if (may_cut_at_marks_) {
    encode_words(cut_at_marks(list.words), ids);
  } else {
    encode_words(list.words, ids);
  }
}

void BpeTokenizer::encode_by_rule(std::string_view text, std::vector<int32_t>& ids) const {
  const SplitRule rule = *pre_tokenizer().rule();
  const auto encode_part = [&](std::string_view part, std::vector<int32_t>& out) {
    const WordCachePool::Lease cache(caches_);
    while (!part.empty()) {
      const size_t length = first_word(rule, part);
      model_.encode(part.substr(0, length), *cache, out);
      part.remove_prefix(length);
    }
  };
  if (text.size() < 2 * kChunkBytes) return encode_part(text, ids);
  std::vector<size_t> cuts = {0};
  while (cuts.back() < text.size()) cuts.push_back(safe_split(text, cuts.back() + kChunkBytes));
  encode_chunks(cuts.size() - 1, ids, [&](size_t chunk, std::vector<int32_t>& out) {
    out.reserve((cuts[chunk + 1] - cuts[chunk]) / 3);
    encode_part(text.substr(cuts[chunk], cuts[chunk + 1] - cuts[chunk]), out);
  });
}

void BpeTokenizer::encode_words(const std::vector<Word>& words, std::vector<int32_t>& ids) const {
  constexpr size_t kChunkWords = kChunkBytes / 8;
  const auto encode_range = [&](size_t begin, size_t end, std::vector<int32_t>& out) {
    const WordCachePool::Lease cache(caches_);
    for (size_t i = begin; i < end; ++i) model_.encode(words[i].text, *cache, out);
  };
  if (words.size() < 2 * kChunkWords) return encode_range(0, words.size(), ids);
  encode_chunks((words.size() + kChunkWords - 1) / kChunkWords, ids, [&](size_t chunk, std::vector<int32_t>& out) {
    encode_range(chunk * kChunkWords, std::min(words.size(), (chunk + 1) * kChunkWords), out);
  });
}

}  // namespace sensorium::text
