#include "text/grammar/automaton.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"

namespace sensorium::text::grammar {
namespace {

uint64_t key(int32_t position, int32_t parent) {
  return static_cast<uint64_t>(static_cast<uint32_t>(position)) << 32 | static_cast<uint32_t>(parent);
}

}  // namespace

Automaton::Automaton(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), class_count_(static_cast<size_t>(grammar_->class_count())) {
  std::vector<Node> pending;
  for (const int32_t position : grammar_->alternatives(grammar_->start())) pending.push_back({position, kBottom});
  start_ = close(std::move(pending));
}

size_t Automaton::bytes() const {
  constexpr size_t kHashed = 32;  // of an entry of a hash table, beside its value
  return nodes_.size() * (2 * sizeof(Node) + kHashed) + steps_.size() * sizeof(State) +
         states_.size() * (sizeof(StateData) + kHashed);
}

int32_t Automaton::node(int32_t position, int32_t parent) {
  const auto [at, made] = node_ids_.try_emplace(key(position, parent), static_cast<int32_t>(nodes_.size()));
  if (made) {
    require(nodes_.size() < kMostNodes, ErrorKind::limit, "the grammar leads to more than {} parts of stacks",
            kMostNodes);
    nodes_.push_back({position, parent});
  }
  return at->second;
}

Automaton::State Automaton::close(std::vector<Node> pending) {
  StateData state;
  std::unordered_set<uint64_t> seen;
  while (!pending.empty()) {
    const Node top = pending.back();
    pending.pop_back();
    if (!seen.insert(key(top.position, top.parent)).second) continue;
    require(seen.size() <= 16 * kMostWays, ErrorKind::limit, "the grammar is too ambiguous: more than {} ways to go on",
            kMostWays);
    const int32_t element = grammar_->element(top.position);
    if (element == Grammar::kEnd) {
      if (top.parent == kBottom) {
        state.accepts = true;
      } else {
        pending.push_back(nodes_[static_cast<size_t>(top.parent)]);
      }
    } else if (element < 0) {
      state.nodes.push_back(node(top.position, top.parent));
    } else {
      // A rule at the end of an alternative leaves nothing to come back to: lists do not pile up stacks.
      const bool last = grammar_->element(top.position + 1) == Grammar::kEnd;
      const int32_t parent = last ? top.parent : node(top.position + 1, top.parent);
      for (const int32_t position : grammar_->alternatives(element)) pending.push_back({position, parent});
    }
  }
  if (state.nodes.empty() && !state.accepts) return kDead;
  require(state.nodes.size() <= kMostWays, ErrorKind::limit, "the grammar is too ambiguous: more than {} ways to go on",
          kMostWays);
  std::sort(state.nodes.begin(), state.nodes.end());
  uint64_t hash = state.accepts ? 1 : 0;
  for (const int32_t id : state.nodes) hash = (hash ^ static_cast<uint32_t>(id)) * 0x9E3779B97F4A7C15ull;
  const auto [begin, end] = state_ids_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const StateData& known = states_[static_cast<size_t>(it->second)];
    if (known.accepts == state.accepts && known.nodes == state.nodes) return it->second;
  }
  require(states_.size() < kMostStates, ErrorKind::limit, "the grammar leads to more than {} states", kMostStates);
  const auto id = static_cast<State>(states_.size());
  state_ids_.emplace(hash, id);
  states_.push_back(std::move(state));
  steps_.resize(steps_.size() + class_count_, kUnknown);
  return id;
}

Automaton::State Automaton::make_step(State state, int byte_class) {
  std::vector<Node> pending;
  for (const int32_t id : states_[static_cast<size_t>(state)].nodes) {
    const Node& top = nodes_[static_cast<size_t>(id)];
    if (grammar_->has_class(~grammar_->element(top.position), byte_class)) {
      pending.push_back({top.position + 1, top.parent});
    }
  }
  const State result = pending.empty() ? kDead : close(std::move(pending));
  steps_[static_cast<size_t>(state) * class_count_ + static_cast<size_t>(byte_class)] = result;
  return result;
}

}  // namespace sensorium::text::grammar
