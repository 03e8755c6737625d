// JSON schemas (2020-12, and what of it draft 7 says the same way) as grammars of the JSON texts that are valid under them.
//
// Supported, in any combination: true, false, type (one or several), enum, const, properties, required, additionalProperties,
// patternProperties, propertyNames, minProperties, maxProperties, items, prefixItems, minItems, maxItems, minLength, maxLength,
// pattern (pattern.h), format (date, time, date-time, uuid, ipv4), minimum, maximum, exclusiveMinimum, exclusiveMaximum,
// multipleOf, allOf, anyOf, $ref inside the document, $defs, definitions; oneOf of schemas that exclude each other
// (schema_disjoint.h); not, but of oneOf, of multipleOf and of what lists hold; if, then and else where "not" of the condition is
// supported; uniqueItems of at most ten listed values, of items that exclude each other, or of at most one item. Annotations (title, description, default, examples ...) are passed over; every other keyword is refused by name.
//
// What is written is valid, but not everything valid can be written: properties come in the schema's order, other properties
// only where additionalProperties allows them (or none are declared) and all together as one of minProperties, numbers have at most 15 digits before and behind the
// point, and white space is at most a line's indentation after [, {, a comma or a value, and a space after a colon. Without
// "type", the keywords that are there tell the type. "not integer" leaves no numbers.
#pragma once

#include <string_view>

#include "base/error.h"
#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// The grammar of a schema's text. Errors name the place (#/properties/a): unsupported (the keyword), usage (no schema; nothing
// can meet it), invalid_data (no JSON), limit (size, nesting).
Result<Grammar> parse_json_schema(std::string_view text);

// Any JSON object.
Grammar json_object_grammar();

}  // namespace sensorium::text::grammar
