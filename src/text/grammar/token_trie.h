// The tokens of a vocabulary by their bytes: which of them a grammar allows next is found in one walk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/grammar/automaton.h"
#include "text/tokenizer.h"

namespace sensorium::text::grammar {

// Immutable.
class TokenTrie {
 public:
  // All tokens that add bytes to a text; control tokens are none of them. (Nor is a token of more than 1000 bytes.)
  explicit TokenTrie(const Tokenizer& tokenizer);

  int32_t vocab_size() const { return vocab_size_; }
  size_t words() const { return (static_cast<size_t>(vocab_size_) + 63) / 64; }
  // Sets bit t % 64 of word t / 64 of `bits` for every token t whose bytes lead somewhere from `state`.
  void add_allowed(Automaton& automaton, Automaton::State state, std::span<uint64_t> bits) const {
    walk(automaton, state, 0, nodes_.size(), bits);
  }
  // The same for the tokens that begin with `byte`, without it.
  void add_allowed_behind(uint8_t byte, Automaton& automaton, Automaton::State state, std::span<uint64_t> bits) const;

 private:
  // A node is a byte behind those of the nodes above it. They stand in the order of their texts; `end` is behind the last of
  // those that begin with this one.
  struct Node {
    uint8_t byte;
    uint16_t depth;
    uint32_t end;
    uint32_t first_token, last_token;  // tokens that end here
  };
  void walk(Automaton& automaton, Automaton::State state, size_t begin, size_t end, std::span<uint64_t> bits) const;

  int32_t vocab_size_;
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
};

}  // namespace sensorium::text::grammar
