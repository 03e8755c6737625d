#include "text/grammar/token_trie.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace sensorium::text::grammar {
namespace {

constexpr size_t kMostBytes = 1000;

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer) : vocab_size_(tokenizer.vocab_size()) {
  std::vector<std::pair<std::string_view, int32_t>> sorted;
  for (int32_t id = 0; id < vocab_size_; ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (!bytes.empty() && bytes.size() <= kMostBytes && !tokenizer.is_control(id)) sorted.emplace_back(bytes, id);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<size_t> path;  // of the last token: its nodes
  std::string_view last;
  const auto leave = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (const auto& [bytes, id] : sorted) {
    const auto common =
        static_cast<size_t>(std::mismatch(bytes.begin(), bytes.end(), last.begin(), last.end()).first - bytes.begin());
    leave(common);
    for (size_t depth = common; depth < bytes.size(); ++depth) {
      path.push_back(nodes_.size());
      nodes_.push_back({.byte = static_cast<uint8_t>(bytes[depth]),
                        .depth = static_cast<uint16_t>(depth),
                        .end = 0,
                        .first_token = static_cast<uint32_t>(tokens_.size()),
                        .last_token = static_cast<uint32_t>(tokens_.size())});
    }
    // Tokens of the same bytes follow one another: all of the last node.
    tokens_.push_back(id);
    nodes_[path.back()].last_token = static_cast<uint32_t>(tokens_.size());
    last = bytes;
  }
  leave(0);
}

void TokenTrie::walk(Automaton& automaton, Automaton::State state, size_t begin, size_t end,
                     std::span<uint64_t> bits) const {
  if (begin == end) return;
  // The state before the byte of each depth.
  std::array<Automaton::State, kMostBytes + 1> states;
  const size_t base = nodes_[begin].depth;
  states[base] = state;
  for (size_t i = begin; i < end;) {
    const Node& node = nodes_[i];
    const Automaton::State next = automaton.next(states[node.depth], node.byte);
    if (next == Automaton::kDead) {
      i = node.end;
      continue;
    }
    states[node.depth + 1u] = next;
    for (uint32_t t = node.first_token; t < node.last_token; ++t) {
      const auto token = static_cast<size_t>(tokens_[t]);
      bits[token / 64] |= uint64_t{1} << (token % 64);
    }
    ++i;
  }
}

void TokenTrie::add_allowed_behind(uint8_t byte, Automaton& automaton, Automaton::State state,
                                   std::span<uint64_t> bits) const {
  for (size_t i = 0; i < nodes_.size(); i = nodes_[i].end) {
    if (nodes_[i].byte == byte) walk(automaton, state, i + 1, nodes_[i].end, bits);
  }
}

}  // namespace sensorium::text::grammar
