// JSON numbers that are multiples of a step, as grammars: "multipleOf".
#pragma once

#include "text/grammar/json_numbers.h"

namespace sensorium::text::grammar {

// Of a number above 0; throws Error(unsupported) for more than 15 digits in all.
Step to_step(const OrderedJson& number);
// The smallest step whose multiples are multiples of both; throws Error(unsupported) as to_step.
Step common_multiple(const Step& a, const Step& b);
bool within(const NumberBounds& bounds, const OrderedJson& number);

enum class Fractions : uint8_t { none, allowed };

// Numbers within the bounds of up to 15 digits in all, the digits behind the point no more than the step's. Throws Error(limit)
// where so many remainders must be told apart that the grammar becomes too large.
Symbol multiples_grammar(GrammarBuilder& builder, const NumberBounds& bounds, const Step& step, Fractions fractions);

}  // namespace sensorium::text::grammar
