// Regular expressions as grammars: the "pattern" of JSON schemas.
#pragma once

#include <functional>
#include <string_view>

#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// How one character of a set is written, for instance escaped inside a JSON string.
using WriteCharacters = std::function<Symbol(const CodePointSet&)>;

// Texts in which `pattern` matches somewhere (ECMA-262, which JSON Schema asks for): ^ and $ at the ends of an alternative fix
// it there. Supported: characters and their escapes, ., classes, \d \D \w \W \s \S, groups, |, * + ? {n} {n,} {n,m} and their
// lazy forms. Throws Error: unsupported (names what: look-around, back references, \b, \p, an anchor elsewhere), usage (no
// regular expression), limit.
Symbol pattern_grammar(GrammarBuilder& builder, std::string_view pattern, const WriteCharacters& write);

}  // namespace sensorium::text::grammar
