// Whether two JSON schemas exclude each other: what "oneOf" asks for.
#pragma once

#include "text/grammar/schema_reader.h"

namespace sensorium::text::grammar {

// Whether it is certain that no value is written for one that is valid under the other: types, listed values, bounds, lengths,
// patterns, and what objects require and hold are compared; what none of them decides counts as not certain.
bool are_disjoint(SchemaDocument& document, SchemaReader& reader, const SchemaParts& a, const SchemaParts& b);

}  // namespace sensorium::text::grammar
