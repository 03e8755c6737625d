// The unigram language model over pieces of words (Kudo 2018): the likeliest way to write a word with the pieces of a
// vocabulary. Reference behaviour: model type "Unigram" of the Python package `tokenizers` 0.23.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/vocab.h"

namespace sensorium::text {

struct UnigramOptions {
  std::optional<int32_t> unk_id;
  bool byte_fallback = false;  // unknown characters become tokens "<0x41>", one a byte
};

class UnigramModel {
 public:
  // `scores`: log-probabilities by id. Pieces in `control` are never found in a text. Throws Error(invalid_data).
  UnigramModel(Vocab vocab, std::vector<double> scores, UnigramOptions options, std::span<const int32_t> control);

  // Appends the ids of one word, which must be valid UTF-8. A run of characters that no piece has is one unknown token.
  // O(bytes times those of the longest piece). Throws Error(invalid_data) if there is no token for unknown characters.
  void encode(std::string_view word, std::vector<int32_t>& ids) const;

  const Vocab& vocab() const { return vocab_; }

 private:
  // The pieces by their bytes; node 0 is the root. Edges of all nodes stand in one table with open addressing.
  class Trie {
   public:
    Trie() : slots_(1024) {}
    void add(std::string_view piece, int32_t id);
    uint32_t child(uint32_t node, uint8_t byte) const { return slots_[slot_of(node, byte)].child; }  // 0: none
    int32_t piece(uint32_t node) const { return pieces_[node]; }

   private:
    struct Slot {
      uint64_t key = 0;
      uint32_t child = 0;
    };
    size_t slot_of(uint32_t node, uint8_t byte) const;
    void grow();

    std::vector<Slot> slots_;
    std::vector<int32_t> pieces_ = {Vocab::kNone};  // by node
    size_t edges_ = 0;
  };

  void append_unknown(std::string_view run, std::vector<int32_t>& ids) const;

  Vocab vocab_;
  std::vector<double> scores_;
  UnigramOptions options_;
  double unknown_score_ = 0;
  std::array<int32_t, 256> byte_tokens_{};
  Trie trie_;
};

}  // namespace sensorium::text
