#include "text/grammar/string_set.h"

#include <map>
#include <memory>
#include <utility>

#include "base/error.h"
#include "text/grammar/automaton.h"
#include "text/grammar/json_strings.h"
#include "text/grammar/pattern.h"

namespace sensorium::text::grammar {

const StringSet& StringSet::all() {
  static const StringSet set = sized(0, GrammarBuilder::kUnlimited);
  return set;
}

StringSet StringSet::matching(std::string_view pattern) {
  GrammarBuilder builder;
  const WriteCharacters write = [&](const CodePointSet& set) { return builder.characters(set); };
  return following(builder, pattern_grammar(builder, pattern, write));
}

StringSet StringSet::of(std::span<const std::string> strings) {
  GrammarBuilder builder;
  std::vector<Symbol> choices;
  for (const std::string& string : strings) choices.push_back(builder.literal(string));
  return following(builder, builder.choice(choices));
}

StringSet StringSet::sized(int64_t least, int64_t most) {
  GrammarBuilder builder;
  return following(builder, builder.repeat(builder.characters(CodePointSet::all()), least, most));
}

void StringSet::add(const State& state) {
  require(states_.size() < kMostStates, ErrorKind::limit, "its strings lead to more than {} states", kMostStates);
  states_.push_back(state);
}

StringSet StringSet::following(GrammarBuilder& builder, Symbol start) {
  // A byte that is in no string: a grammar must have some text.
  constexpr size_t kNoString = 0xFF;
  const Symbol other = builder.bytes(ByteSet().set(kNoString));
  Automaton automaton(std::make_shared<const Grammar>(builder.build(builder.choice({start, other}))));
  StringSet set;
  std::map<Automaton::State, int32_t> numbers;
  std::vector<Automaton::State> found;
  const auto number_of = [&](Automaton::State state) {
    if (state == Automaton::kDead) return kDead;
    const auto [at, made] = numbers.try_emplace(state, static_cast<int32_t>(found.size()));
    if (made) found.push_back(state);
    return at->second;
  };
  number_of(automaton.start());
  for (size_t i = 0; i < found.size(); ++i) {
    State state{.next = {}, .accepts = automaton.accepts(found[i])};
    for (size_t byte = 0; byte < 256; ++byte) {
      const auto next = automaton.next(found[i], static_cast<uint8_t>(byte));
      state.next[byte] = number_of(byte == kNoString ? Automaton::kDead : next);
    }
    set.add(state);
  }
  return set.trimmed();
}

StringSet StringSet::intersection(const StringSet& other) const {
  StringSet set;
  if (empty() || other.empty()) return set;
  std::map<std::pair<int32_t, int32_t>, int32_t> numbers;
  std::vector<std::pair<int32_t, int32_t>> found;
  const auto number_of = [&](int32_t a, int32_t b) {
    if (a == kDead || b == kDead) return kDead;
    const auto [at, made] = numbers.try_emplace({a, b}, static_cast<int32_t>(found.size()));
    if (made) found.emplace_back(a, b);
    return at->second;
  };
  number_of(0, 0);
  for (size_t i = 0; i < found.size(); ++i) {
    const auto [first, second] = found[i];
    const State &a = states_[static_cast<size_t>(first)], &b = other.states_[static_cast<size_t>(second)];
    State state{.next = {}, .accepts = a.accepts && b.accepts};
    for (size_t byte = 0; byte < 256; ++byte) state.next[byte] = number_of(a.next[byte], b.next[byte]);
    set.add(state);
  }
  return set.trimmed();
}

StringSet StringSet::complement() const {
  // One more state, from which everything goes on.
  const auto beyond = static_cast<int32_t>(states_.size());
  StringSet set;
  for (State state : states_) {
    state.accepts = !state.accepts;
    for (int32_t& next : state.next) next = next == kDead ? beyond : next;
    set.add(state);
  }
  State last{.next = {}, .accepts = true};
  last.next.fill(beyond);
  set.add(last);
  return set.intersection(all());
}

StringSet StringSet::trimmed() const {
  std::vector<std::vector<int32_t>> before(states_.size());
  std::vector<bool> ends(states_.size());
  std::vector<int32_t> found;
  const auto mark = [&](int32_t state) {
    if (ends[static_cast<size_t>(state)]) return;
    ends[static_cast<size_t>(state)] = true;
    found.push_back(state);
  };
  for (size_t i = 0; i < states_.size(); ++i) {
    int32_t last = kDead;  // neighbouring bytes mostly lead to the same state
    for (const int32_t next : states_[i].next) {
      if (next != kDead && next != last) before[static_cast<size_t>(next)].push_back(static_cast<int32_t>(i));
      last = next;
    }
    if (states_[i].accepts) mark(static_cast<int32_t>(i));
  }
  while (!found.empty()) {
    const int32_t state = found.back();
    found.pop_back();
    for (const int32_t earlier : before[static_cast<size_t>(state)]) mark(earlier);
  }
  StringSet set;
  if (states_.empty() || !ends[0]) return set;
  std::vector<int32_t> numbers(states_.size(), kDead);
  int32_t count = 0;
  for (size_t i = 0; i < states_.size(); ++i) {
    if (ends[i]) numbers[i] = count++;
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    if (!ends[i]) continue;
    State state = states_[i];
    for (int32_t& next : state.next) next = next == kDead ? kDead : numbers[static_cast<size_t>(next)];
    set.add(state);
  }
  return set;
}

bool StringSet::contains(std::string_view string) const {
  int32_t state = empty() ? kDead : 0;
  for (size_t i = 0; i < string.size() && state != kDead; ++i) {
    state = states_[static_cast<size_t>(state)].next[static_cast<uint8_t>(string[i])];
  }
  return state != kDead && states_[static_cast<size_t>(state)].accepts;
}

Symbol StringSet::json(GrammarBuilder& builder) const {
  if (empty()) return builder.never();
  std::vector<Symbol> rules;
  for (size_t i = 0; i < states_.size(); ++i) rules.push_back(builder.rule());
  const Symbol quote = builder.literal("\"");
  std::map<std::string, Symbol> escapes;  // by the bytes that they stand for
  for (size_t i = 0; i < states_.size(); ++i) {
    struct Step {
      ByteSet plain;
      std::string escaped;
    };
    std::map<int32_t, Step> steps;  // by where they lead
    for (size_t byte = 0; byte < 256; ++byte) {
      const int32_t next = states_[i].next[byte];
      if (next == kDead) continue;
      if (is_escaped(static_cast<char32_t>(byte))) {
        steps[next].escaped += static_cast<char>(byte);
      } else {
        steps[next].plain.set(byte);
      }
    }
    for (const auto& [next, step] : steps) {
      const Symbol rest = rules[static_cast<size_t>(next)];
      if (step.plain.any()) builder.add_alternative(rules[i], {builder.bytes(step.plain), rest});
      if (step.escaped.empty()) continue;
      if (!escapes.contains(step.escaped)) {
        CodePointSet set;
        for (const char c : step.escaped) set.add(static_cast<char32_t>(c));
        escapes.emplace(step.escaped, json_character(builder, set));
      }
      builder.add_alternative(rules[i], {escapes.at(step.escaped), rest});
    }
    if (states_[i].accepts) builder.add_alternative(rules[i], {});
  }
  return builder.sequence({quote, rules[0], quote});
}

}  // namespace sensorium::text::grammar
