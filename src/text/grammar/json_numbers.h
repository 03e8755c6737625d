// JSON numbers within bounds, as grammars.
#pragma once

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

struct Bound {
  Decimal value;
  bool exclusive = false;
};
struct NumberBounds {
  std::optional<Bound> low, high;
};

// Integers of up to 15 digits, all of which a double holds.
Symbol integer_grammar(GrammarBuilder& builder, const NumberBounds& bounds);
// Numbers of up to 15 digits before the point and 15 behind it; without bounds also with an exponent of two digits.
Symbol number_grammar(GrammarBuilder& builder, const NumberBounds& bounds);

}  // namespace sensorium::text::grammar
