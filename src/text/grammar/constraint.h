// What an answer must look like, token by token: a grammar over the bytes of a vocabulary's tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "text/grammar/automaton.h"
#include "text/grammar/token_trie.h"
#include "text/tokenizer.h"

namespace sensorium::text::grammar {

// A grammar for one vocabulary, and what is known of its states so far, for all answers that it binds. Not thread-safe.
class Constraint {
 public:
  // `tokens` are those of `tokenizer`, which must outlive this object.
  Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> tokens,
             const Tokenizer& tokenizer);
  Constraint(Grammar grammar, const Tokenizer& tokenizer)
      : Constraint(std::make_shared<const Grammar>(std::move(grammar)), std::make_shared<const TokenTrie>(tokenizer),
                   tokenizer) {}

  const Grammar& grammar() const { return automaton_.grammar(); }
  // About the memory of what is known.
  size_t bytes() const { return automaton_.bytes() + known_.size() * tokens_->words() * sizeof(uint64_t); }

 private:
  friend class Matcher;
  using Bits = std::vector<uint64_t>;
  // The tokens that may come in a state; where a text begins, also those with a space in front that is dropped.
  std::shared_ptr<const Bits> allowed(Automaton::State state, bool at_begin);

  Automaton automaton_;
  std::shared_ptr<const TokenTrie> tokens_;
  const Tokenizer& tokenizer_;
  bool space_is_dropped_;  // by the tokenizer where a text begins
  std::unordered_map<uint64_t, std::shared_ptr<const Bits>> known_;
};

// One answer's way through a constraint.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<Constraint> constraint)
      : constraint_(std::move(constraint)), state_(constraint_->automaton_.start()) {}

  // The tokens that may come next: bit t % 64 of word t / 64. Valid until the next call. Throws Error(limit) if the grammar
  // has too many states (Automaton).
  std::span<const uint64_t> allowed();
  // Whether the text is complete; tokens may be allowed nevertheless.
  bool may_end() const { return constraint_->automaton_.accepts(state_); }
  bool allows(int32_t token) const;
  // Throws Error(usage) for a token that is not allowed.
  void accept(int32_t token);

 private:
  Automaton::State after(int32_t token) const;

  std::shared_ptr<Constraint> constraint_;
  Automaton::State state_;
  bool at_begin_ = true;
  std::shared_ptr<const Constraint::Bits> allowed_;
};

}  // namespace sensorium::text::grammar
