#include "text/unigram_model.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

// How much less likely an unknown character is than the rarest piece.
constexpr double kUnknownPenalty = 10.0;
constexpr int32_t kUnknown = -2, kUnreached = -1;

// The best way to write the bytes before a place: its last piece.
struct Step {
  double score = 0;
  size_t begin = 0;
  int32_t id = kUnreached;
};

}  // namespace

size_t UnigramModel::Trie::slot_of(uint32_t node, uint8_t byte) const {
  const uint64_t key = (static_cast<uint64_t>(node) << 8 | byte) + 1;  // 0: empty
  size_t slot = static_cast<size_t>((key * 0x9E3779B97F4A7C15u) >> 20) & (slots_.size() - 1);
  while (slots_[slot].key != 0 && slots_[slot].key != key) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void UnigramModel::Trie::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
  for (const Slot& slot : old) {
    if (slot.key == 0) continue;
    slots_[slot_of(static_cast<uint32_t>((slot.key - 1) >> 8), static_cast<uint8_t>(slot.key - 1))] = slot;
  }
}

void UnigramModel::Trie::add(std::string_view piece, int32_t id) {
  uint32_t node = 0;
  for (const char c : piece) {
    const auto byte = static_cast<uint8_t>(c);
    size_t slot = slot_of(node, byte);
    if (slots_[slot].key == 0) {
      if (++edges_ * 2 > slots_.size()) {
        grow();
        slot = slot_of(node, byte);
      }
      slots_[slot] = {(static_cast<uint64_t>(node) << 8 | byte) + 1, static_cast<uint32_t>(pieces_.size())};
      pieces_.push_back(Vocab::kNone);
    }
    node = slots_[slot].child;
  }
  pieces_[node] = id;
}

UnigramModel::UnigramModel(Vocab vocab, std::vector<double> scores, UnigramOptions options,
                           std::span<const int32_t> control)
    : vocab_(std::move(vocab)), scores_(std::move(scores)), options_(options) {
  require(static_cast<size_t>(vocab_.size()) == scores_.size() && !scores_.empty(), ErrorKind::invalid_data,
          "model: {} pieces and {} scores", vocab_.size(), scores_.size());
  require(!options_.unk_id || vocab_.has(*options_.unk_id), ErrorKind::invalid_data,
          "model: \"unk_id\" is {}, the vocabulary has {} pieces", options_.unk_id.value_or(0), vocab_.size());
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const bool hidden = std::find(control.begin(), control.end(), id) != control.end();
    if (!hidden && !vocab_.token(id).empty()) trie_.add(vocab_.token(id), id);
  }
  for (size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    byte_tokens_[byte] = vocab_.find(fmt::format("<0x{:02X}>", byte));
  }
}

void UnigramModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  std::vector<Step> steps(word.size() + 1);  // by the place where they end
  steps[0].id = 0;
  for (size_t begin = 0; begin < word.size();) {
    size_t next = begin;
    next_char(word, next);
    const double before = steps[begin].score;
    const auto offer = [&](size_t end, double score, int32_t id) {
      if (steps[end].id == kUnreached || before + score > steps[end].score) steps[end] = {before + score, begin, id};
    };
    bool has_character = false;
    uint32_t node = 0;
    for (size_t end = begin; end < word.size();) {
      node = trie_.child(node, static_cast<uint8_t>(word[end++]));
      if (node == 0) break;
      const int32_t id = trie_.piece(node);
      if (id == Vocab::kNone) continue;
      offer(end, scores_[static_cast<size_t>(id)], id);
      has_character = has_character || end == next;
    }
    if (!has_character) offer(next, unknown_score_, kUnknown);
    begin = next;
  }
  std::vector<std::pair<size_t, size_t>> pieces;  // from the last to the first; unknown neighbours are one
  for (size_t end = word.size(); end > 0; end = steps[end].begin) {
    const bool fuses = steps[end].id == kUnknown && !pieces.empty() && steps[pieces.back().second].id == kUnknown;
    if (fuses) {
      pieces.back().first = steps[end].begin;
    } else {
      pieces.emplace_back(steps[end].begin, end);
    }
  }
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    const Step& step = steps[piece->second];
    if (step.id == kUnknown) {
      append_unknown(word.substr(piece->first, piece->second - piece->first), ids);
    } else {
      ids.push_back(step.id);
    }
  }
}

void UnigramModel::append_unknown(std::string_view run, std::vector<int32_t>& ids) const {
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
  const bool has_bytes = options_.byte_fallback &&
                         std::all_of(run.begin(), run.end(), [&](char c) { return token_of(c) != Vocab::kNone; });
  if (has_bytes) {
    for (const char byte : run) ids.push_back(token_of(byte));
    return;
  }
  require(options_.unk_id.has_value(), ErrorKind::invalid_data,
          "the text has characters that no piece has, and the tokenizer no token for them (\"unk_id\")");
  ids.push_back(*options_.unk_id);
}

}  // namespace sensorium::text
