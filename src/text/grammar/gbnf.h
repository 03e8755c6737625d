// Grammar files in GBNF, the notation of llama.cpp (its grammars/README.md):
//
//   # a comment
//   root   ::= "yes" | "no" | list
//   list   ::= "[" item ("," item)* "]"
//   item   ::= [a-zA-Z_] [^,\]]{0,20} .? \x21
//
// Literals and classes take the escapes \n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH; a class and . stand for one Unicode
// character. Repetitions: * + ? {n} {n,} {n,m} {,m}. A rule ends with its line, unless a parenthesis is open or the line ends
// in |. The rule "root" is what must be met.
#pragma once

#include <string_view>

#include "base/error.h"
#include "text/grammar/grammar.h"

namespace sensorium::text::grammar {

// Errors give the line: usage (what is wrong there; an undefined rule; left recursion), limit (size, nesting).
Result<Grammar> parse_gbnf(std::string_view text);

}  // namespace sensorium::text::grammar
