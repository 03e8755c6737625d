// Follows a grammar byte by byte. A state is the set of stacks of what may still come (a pushdown automaton, all ways at
// once); states and steps between them are made when they are first needed and remembered.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// Not thread-safe.
class Automaton {
 public:
  using State = int32_t;
  static constexpr State kDead = -1;  // no text of the grammar goes on like this
  // Beyond these Error(limit) is thrown: ways to go on in one state; states, and parts of stacks, in all.
  static constexpr size_t kMostWays = 4096, kMostStates = size_t{1} << 20, kMostNodes = size_t{1} << 22;

  explicit Automaton(std::shared_ptr<const Grammar> grammar);

  State start() const { return start_; }
  State next(State state, uint8_t byte) {
    if (state == kDead) return kDead;
    const size_t at = static_cast<size_t>(state) * class_count_ + grammar_->class_of(byte);
    return steps_[at] == kUnknown ? make_step(state, grammar_->class_of(byte)) : steps_[at];
  }
  // Whether the text may end here.
  bool accepts(State state) const { return state != kDead && states_[static_cast<size_t>(state)].accepts; }
  size_t states() const { return states_.size(); }
  const Grammar& grammar() const { return *grammar_; }
  // About the memory of what it has made so far.
  size_t bytes() const;

 private:
  static constexpr State kUnknown = -2;
  static constexpr int32_t kBottom = -1;
  // A stack from its top: the element that comes next, and the stack under it.
  struct Node {
    int32_t position, parent;
  };
  struct StateData {
    std::vector<int32_t> nodes;  // sorted; the elements on top are byte sets
    bool accepts = false;
  };

  int32_t node(int32_t position, int32_t parent);
  // The state of all stacks that `pending` come to before the next byte.
  State close(std::vector<Node> pending);
  State make_step(State state, int byte_class);

  std::shared_ptr<const Grammar> grammar_;
  size_t class_count_;
  std::vector<Node> nodes_;
  std::unordered_map<uint64_t, int32_t> node_ids_;
  std::vector<StateData> states_;
  std::unordered_multimap<uint64_t, State> state_ids_;  // by a hash of their nodes
  std::vector<State> steps_;                            // [states, classes]
  State start_;
};

}  // namespace sensorium::text::grammar
