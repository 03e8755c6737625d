// JSON strings as grammars.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// One character of a set, as it is written inside a string: `"`, `\` and control characters as their shortest escape.
Symbol json_character(GrammarBuilder& builder, const CodePointSet& set);
// Whether a character is written as an escape: `"`, `\` and control characters.
bool is_escaped(char32_t c);
// Any character, also in the form of an escape (but for surrogate pairs, which are written as themselves).
Symbol any_json_character(GrammarBuilder& builder);
// A string, with its quotes, of `least` to `most` characters.
Symbol json_string(GrammarBuilder& builder, int64_t least, int64_t most);
// A string in which `pattern` matches (pattern.h).
Symbol json_string_matching(GrammarBuilder& builder, std::string_view pattern);
// A string without escapes that is none of `names`.
Symbol json_string_except(GrammarBuilder& builder, std::span<const std::string> names);
// The pattern of a "format": date, time, date-time (RFC 3339), uuid, ipv4; "" for another.
std::string_view format_pattern(std::string_view format);

}  // namespace sensorium::text::grammar
