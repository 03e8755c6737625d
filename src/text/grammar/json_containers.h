// JSON arrays and objects as grammars, from the grammars of what they hold.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// White space is at most a new line with its indentation, or a space, behind [, {, a comma or the last value, and a space behind
// a colon: texts cannot be drawn out by it.
class JsonContainers {
 public:
  struct Property {
    std::string name;
    Symbol value;
    bool required = false;
  };

  // `builder` must outlive this object.
  explicit JsonContainers(GrammarBuilder& builder) : builder_(builder) {}

  // `first`, in their order, then any number of `item`; `least` to `most` in all (GrammarBuilder::kUnlimited).
  Symbol array(std::span<const Symbol> first, Symbol item, int64_t least, int64_t most);
  // Any of the items, each at most once, in any order; `least` to `most` in all. At most kMostDistinct.
  static constexpr size_t kMostDistinct = 10;
  Symbol distinct(std::span<const Symbol> items, int64_t least, int64_t most);
  // The properties in their order, then any number of others, each with a name and a value of one of `others`; `least` to `most` in
  // all. As names of others may be written twice, all others together count as one of `least`.
  struct Others {
    Symbol name, value;
  };
  Symbol object(std::span<const Property> properties, std::span<const Others> others, int64_t least = 0,
                int64_t most = GrammarBuilder::kUnlimited);

 private:
  Symbol space();
  Symbol comma();
  Symbol pair(Symbol key, Symbol value);
  // What may follow when `written` properties are there, of which none is left to come.
  Symbol others_behind(std::span<const Others> others, int64_t written, int64_t least, int64_t most);

  GrammarBuilder& builder_;
  std::optional<Symbol> space_, comma_, colon_;
};

}  // namespace sensorium::text::grammar
