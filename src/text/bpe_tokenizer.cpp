#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

// Long enough that handing out a chunk costs nothing, short enough to keep both threads busy to the end.
constexpr size_t kChunkBytes = 64 << 10;

std::vector<int32_t> control_ids(const std::vector<AddedToken>& tokens) {
  std::vector<int32_t> ids;
  for (const AddedToken& token : tokens) {
    if (token.special) ids.push_back(token.id);
  }
  return ids;
}

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
    : components_(OrderedJson::object()),
      normalizer_(parts.normalizer.is_null() ? nullptr : parse_normalizer(parts.normalizer)),
      added_(std::move(parts.added), normalizer_.get()),
      pre_tokenizer_(parts.pre_tokenizer.is_null() ? PreTokenizer() : PreTokenizer(parts.pre_tokenizer)),
      model_(std::move(parts.vocab), std::move(parts.merges), std::move(parts.options), pre_tokenizer_.alphabet(),
             control_ids(added_.tokens())),
      affixes_(parts.post_processor.is_null() ? AffixIds{} : parse_post_processor(parts.post_processor)),
      decoder_(parts.decoder.is_null() ? Decoder() : Decoder(parts.decoder)) {
  components_["normalizer"] = parts.normalizer;
  components_["pre_tokenizer"] = parts.pre_tokenizer;
  components_["post_processor"] = parts.post_processor;
  components_["decoder"] = parts.decoder;

  int32_t size = model_.vocab().size();
  for (const AddedToken& token : added_.tokens()) size = std::max(size, token.id + 1);
  bytes_.resize(static_cast<size_t>(size));
  is_control_.resize(static_cast<size_t>(size));
  for (const AddedToken& token : added_.tokens()) {
    special_tokens_.push_back({token.id, token.content, token.special});
    is_control_[static_cast<size_t>(token.id)] = token.special;
  }
  for (int32_t id = 0; id < size; ++id) {
    if (model_.vocab().has(id) || added_.shown_form(id) != nullptr) {
      bytes_[static_cast<size_t>(id)] = decoder_.token_bytes(token_text(id));
    }
  }
  for (const auto* list : {&affixes_.before, &affixes_.after}) {
    for (const int32_t id : *list) {
      require(id < size, ErrorKind::invalid_data, "post_processor: token id {} is outside the vocabulary of {}", id,
              size);
    }
  }
  may_cut_at_marks_ = pre_tokenizer_.leaves_whole() && model_.may_cut_before(kMark);
}

std::string_view BpeTokenizer::token_text(int32_t id) const {
  const std::string* added = added_.shown_form(id);
  return added != nullptr ? std::string_view(*added) : model_.vocab().token(id);
}

std::string_view BpeTokenizer::token_bytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(bytes_[static_cast<size_t>(id)]) : std::string_view();
}

bool BpeTokenizer::is_control(int32_t id) const {
  return id >= 0 && id < vocab_size() && is_control_[static_cast<size_t>(id)];
}

std::optional<int32_t> BpeTokenizer::token_id(std::string_view token) const {
  for (const SpecialToken& special : special_tokens_) {
    if (special.text == token) return special.id;
  }
  const int32_t id = model_.vocab().find(token);
  return id == Vocab::kNone ? std::nullopt : std::optional(id);
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const CleanText clean(text, options.user);
  text = clean.text;
  std::span<const Span> user = clean.user;
  std::vector<int32_t> ids;
  if (options.affixes == Affixes::model) ids = affixes_.before;
  for (const Segment& raw : added_.split_raw(text, options.specials, user)) {
    if (raw.id >= 0) {
      ids.push_back(raw.id);
      continue;
    }
    std::string normal;
    std::string_view piece = raw.text;
    if (normalizer_) piece = normal = normalizer_->apply(raw.text);
    const bool first = raw.text.data() == text.data();
    // Where the user's bytes are in the normalized text is not known: a segment that has some is all text.
    const auto begin = static_cast<size_t>(raw.text.data() - text.data());
    while (!user.empty() && user.front().end <= begin) user = user.subspan(1);
    const bool has_user = !user.empty() && user.front().begin < begin + raw.text.size();
    const Specials specials = has_user ? Specials::as_text : options.specials;
    for (const Segment& segment : added_.split_normalized(piece, specials)) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
      } else {
        encode_segment(segment.text, first && segment.text.data() == piece.data(), ids);
      }
    }
  }
  if (options.affixes == Affixes::model) ids.insert(ids.end(), affixes_.after.begin(), affixes_.after.end());
  return ids;
}

void BpeTokenizer::encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  if (pre_tokenizer_.rule()) {
    if (pre_tokenizer_.adds_prefix_space() && !text.starts_with(' ')) {
      encode_by_rule(" " + std::string(text), ids);
    } else {
      encode_by_rule(text, ids);
    }
    return;
  }
  const WordList list = pre_tokenizer_.split(text, at_start);
  if (may_cut_at_marks_) {
    encode_words(cut_at_marks(list.words), ids);
  } else {
    encode_words(list.words, ids);
  }
}

void BpeTokenizer::encode_by_rule(std::string_view text, std::vector<int32_t>& ids) const {
  const SplitRule rule = *pre_tokenizer_.rule();
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

std::string BpeTokenizer::decode(std::span<const int32_t> ids, DecodeSpecials specials) const {
  const auto shown = [&](int32_t id) {
    return id >= 0 && id < vocab_size() && !(specials == DecodeSpecials::skip && is_control_[static_cast<size_t>(id)]);
  };
  if (decoder_.is_concatenation()) {
    std::string bytes;
    for (const int32_t id : ids) {
      if (shown(id)) bytes += bytes_[static_cast<size_t>(id)];
    }
    return is_valid_utf8(bytes) ? bytes : repair_utf8(bytes);
  }
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    if (shown(id) && (model_.vocab().has(id) || added_.shown_form(id) != nullptr)) tokens.emplace_back(token_text(id));
  }
  return decoder_.decode(std::move(tokens));
}

}  // namespace sensorium::text
