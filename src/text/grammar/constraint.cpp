#include "text/grammar/constraint.h"

#include <string_view>

#include "base/error.h"

namespace sensorium::text::grammar {
namespace {

// Of the sets that are remembered.
constexpr size_t kMostBytes = size_t{64} << 20;

}  // namespace

Constraint::Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> tokens,
                       const Tokenizer& tokenizer)
    : automaton_(std::move(grammar)),
      tokens_(std::move(tokens)),
      tokenizer_(tokenizer),
      space_is_dropped_(tokenizer.leading_spaces().count > 0) {}

std::shared_ptr<const Constraint::Bits> Constraint::allowed(Automaton::State state, bool at_begin) {
  const bool with_space = at_begin && space_is_dropped_;
  const uint64_t key = static_cast<uint64_t>(state) << 1 | (with_space ? 1 : 0);
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  auto bits = std::make_shared<Bits>(tokens_->words());
  tokens_->add_allowed(automaton_, state, *bits);
  if (with_space) tokens_->add_allowed_behind(' ', automaton_, state, *bits);
  if ((known_.size() + 1) * tokens_->words() * sizeof(uint64_t) > kMostBytes) known_.clear();
  known_.emplace(key, bits);
  return bits;
}

std::span<const uint64_t> Matcher::allowed() {
  allowed_ = constraint_->allowed(state_, at_begin_);
  return *allowed_;
}

Automaton::State Matcher::after(int32_t token) const {
  const std::string_view bytes = constraint_->tokenizer_.token_bytes(token);
  if (bytes.empty() || constraint_->tokenizer_.is_control(token)) return Automaton::kDead;
  Automaton& automaton = constraint_->automaton_;
  const auto follow = [&](std::string_view text) {
    Automaton::State state = state_;
    for (const char c : text) state = automaton.next(state, static_cast<uint8_t>(c));
    return state;
  };
  if (at_begin_ && constraint_->space_is_dropped_ && bytes.size() > 1 && bytes[0] == ' ') {
    // The space will not be in the text.
    if (const Automaton::State state = follow(bytes.substr(1)); state != Automaton::kDead) return state;
  }
  return follow(bytes);
}

bool Matcher::allows(int32_t token) const { return after(token) != Automaton::kDead; }

void Matcher::accept(int32_t token) {
  const Automaton::State next = after(token);
  require(next != Automaton::kDead, ErrorKind::usage, "the grammar does not allow token {} here", token);
  state_ = next;
  at_begin_ = false;
}

}  // namespace sensorium::text::grammar
