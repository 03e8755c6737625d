// Context-free grammars over bytes: what an answer must look like. They are built from parts (GrammarBuilder), by the reader of
// a grammar file (gbnf.h) or of a JSON schema (json_schema.h), and followed byte by byte (automaton.h).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/code_points.h"

namespace sensorium::text::grammar {

using ByteSet = std::bitset<256>;

// A rule, or a set of bytes of which one comes.
struct Symbol {
  int32_t id = 0;  // a rule's index, or the complement of a byte set's
  friend auto operator<=>(const Symbol&, const Symbol&) = default;
};

// Immutable. Every rule can be completed, and none begins with itself, so that whoever follows it byte by byte never gets stuck
// and never loops.
class Grammar {
 public:
  static constexpr int32_t kEnd = INT32_MIN;

  // An element of an alternative: a rule (>= 0), the complement of a byte set's index, or kEnd behind the last.
  int32_t element(int32_t position) const { return elements_[static_cast<size_t>(position)]; }
  // Where the alternatives of a rule begin.
  std::span<const int32_t> alternatives(int32_t rule) const {
    const auto begin = static_cast<size_t>(first_[static_cast<size_t>(rule)]);
    return std::span(alternatives_).subspan(begin, static_cast<size_t>(first_[static_cast<size_t>(rule) + 1]) - begin);
  }
  int32_t start() const { return start_; }

  // Bytes that no byte set tells apart are one class.
  int class_count() const { return class_count_; }
  uint8_t class_of(uint8_t byte) const { return classes_[byte]; }
  bool has_class(int32_t byte_set, int byte_class) const {
    return sets_[static_cast<size_t>(byte_set)][static_cast<size_t>(byte_class)];
  }

  friend bool operator==(const Grammar&, const Grammar&) = default;

 private:
  friend class GrammarBuilder;
  std::vector<int32_t> elements_, alternatives_, first_;
  std::vector<ByteSet> sets_;  // over classes
  std::array<uint8_t, 256> classes_{};
  int class_count_ = 0;
  int32_t start_ = 0;
};

class GrammarBuilder {
 public:
  static constexpr size_t kMostSymbols = size_t{1} << 18;  // in all alternatives together
  static constexpr int64_t kUnlimited = -1;

  // All of these throw Error(limit) where the grammar becomes larger than kMostSymbols.
  // A rule without alternatives, for recursion: what has no alternative can never be met. `name` is for messages.
  Symbol rule(std::string name = {});
  void add_alternative(Symbol rule, std::span<const Symbol> symbols);
  void add_alternative(Symbol rule, std::initializer_list<Symbol> symbols) {
    add_alternative(rule, std::span(symbols.begin(), symbols.size()));
  }

  Symbol bytes(const ByteSet& set);
  Symbol literal(std::string_view text);
  // One character of the set, in UTF-8.
  Symbol characters(const CodePointSet& set);
  Symbol sequence(std::span<const Symbol> symbols);
  Symbol sequence(std::initializer_list<Symbol> symbols) {
    return sequence(std::span(symbols.begin(), symbols.size()));
  }
  Symbol choice(std::span<const Symbol> symbols);
  Symbol choice(std::initializer_list<Symbol> symbols) { return choice(std::span(symbols.begin(), symbols.size())); }
  Symbol empty() { return sequence(std::span<const Symbol>()); }
  Symbol never() { return choice(std::span<const Symbol>()); }
  // `least` to `most` times; kUnlimited: any number.
  Symbol repeat(Symbol symbol, int64_t least, int64_t most);
  Symbol optional(Symbol symbol) { return repeat(symbol, 0, 1); }

  // The grammar whose texts are those of `start`. Alternatives that can never be completed are dropped. Throws Error(usage): no
  // text at all is allowed, or a rule begins with itself (named).
  Grammar build(Symbol start) const;

 private:
  struct Rule {
    std::string name;
    std::vector<std::vector<Symbol>> alternatives;
  };
  // For every rule: whether some alternative holds because all its symbols do. Byte sets hold or not, as `bytes_hold` says.
  std::vector<bool> rules_that_hold(bool bytes_hold) const;
  void refuse_left_recursion(const std::vector<bool>& complete) const;

  std::vector<Rule> rules_;
  std::vector<ByteSet> sets_;
  std::map<std::string, Symbol> set_ids_;      // by content
  std::map<CodePointSet, Symbol> characters_;  // made already
  size_t symbols_ = 0;
};

}  // namespace sensorium::text::grammar
