// Regular sets of strings: what the keywords of a JSON schema say of a string or of a property's name, put together.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// A deterministic automaton over the bytes of UTF-8. Immutable. Throws Error(limit) beyond kMostStates.
class StringSet {
 public:
  static constexpr size_t kMostStates = size_t{1} << 14;

  static const StringSet& all();
  // Strings in which the pattern matches (pattern.h, whose errors these are).
  static StringSet matching(std::string_view pattern);
  static StringSet of(std::span<const std::string> strings);
  // Strings of `least` to `most` characters (GrammarBuilder::kUnlimited).
  static StringSet sized(int64_t least, int64_t most);

  StringSet intersection(const StringSet& other) const;
  StringSet complement() const;  // among all strings
  bool empty() const { return states_.empty(); }
  bool contains(std::string_view string) const;
  // The set's strings as JSON, with quotes; escaped is only what must be.
  Symbol json(GrammarBuilder& builder) const;

 private:
  static constexpr int32_t kDead = -1;
  struct State {
    std::array<int32_t, 256> next;
    bool accepts = false;
  };

  static StringSet following(GrammarBuilder& builder, Symbol start);
  void add(const State& state);
  // Without the states from which no string ends; the start is the first one.
  StringSet trimmed() const;

  std::vector<State> states_;  // every one leads to an end
};

}  // namespace sensorium::text::grammar
