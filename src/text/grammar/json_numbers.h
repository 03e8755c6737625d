// JSON numbers within bounds, as grammars.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// A decimal number, written out.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  // without leading zeros
  std::string fraction;     // without trailing zeros
  bool cut = false;         // its magnitude was larger: it is the largest one of 15 digits
};
// Throws Error(unsupported) for more than 15 digits behind the point.
Decimal to_decimal(const OrderedJson& number);

// -1, 0, 1 as `a` is less than `b`, the same, or more.
int compare(const Decimal& a, const Decimal& b);

struct Bound {
  Decimal value;
  bool exclusive = false;
};
// units / 10^digits
struct Step {
  int64_t units = 1;
  int digits = 0;
};

struct NumberBounds {
  std::optional<Bound> low, high;
  std::optional<Step> step;  // of which numbers are multiples
};

// Integers of up to 15 digits, all of which a double holds.
Symbol integer_grammar(GrammarBuilder& builder, const NumberBounds& bounds);
// Numbers of up to 15 digits before the point and 15 behind it; without bounds also with an exponent of two digits; with a step of
// up to 15 digits in all, no more behind the point than the step has.
Symbol number_grammar(GrammarBuilder& builder, const NumberBounds& bounds);

}  // namespace sensorium::text::grammar
