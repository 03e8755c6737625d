// Cuts the source of a template into tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sensorium::text::jinja {

struct Token {
  enum class Type {
    data,
    block_begin,
    block_end,
    variable_begin,
    variable_end,
    name,
    string,
    integer,
    real,
    symbol,
    end
  };
  Type type = Type::end;
  std::string text;  // data, the name, the symbol, the string without quotes and escapes, the digits
  int line = 1;
};

// With the whitespace rules of Jinja 3 under trim_blocks and lstrip_blocks: a line end behind a tag or comment goes, as
// do spaces before one at the start of a line, unless '+' keeps them; '-' takes all white space on its side. A line end
// at the very end is dropped. Comments and raw blocks are resolved here. Ends with a token of type end.
// Throws Error: invalid_data ("line 3: ..."), limit.
std::vector<Token> tokenize_template(std::string_view source);

}  // namespace sensorium::text::jinja
