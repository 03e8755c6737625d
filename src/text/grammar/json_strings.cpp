#include "text/grammar/json_strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/utf8.h"
#include "text/grammar/pattern.h"

namespace sensorium::text::grammar {
namespace {

const CodePointSet& escaped() {
  static const CodePointSet set({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  return set;
}

std::string escape_of(char32_t c) {
  constexpr std::string_view kPlain = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  const size_t at = kPlain.find(static_cast<char>(c));
  return at != std::string_view::npos ? std::string{'\\', kNames[at]} : fmt::format("\\u{:04x}", static_cast<int>(c));
}

Symbol digits(GrammarBuilder& builder, std::string_view of) {
  ByteSet set;
  for (const char c : of) set.set(static_cast<unsigned char>(c));
  return builder.bytes(set);
}

// The strings that go on from a common beginning, by their next character.
struct Branch {
  std::map<char32_t, Branch> next;
  bool ends = false;
};

Symbol except(GrammarBuilder& builder, const Branch& branch, Symbol rest) {
  const CodePointSet plain = escaped().complement();
  CodePointSet others = plain;
  std::vector<Symbol> choices;
  for (const auto& [c, deeper] : branch.next) {
    CodePointSet one;
    one.add(c);
    others = others.without(one);
    if (plain.contains(c))
      choices.push_back(builder.sequence({builder.characters(one), except(builder, deeper, rest)}));
  }
  choices.push_back(builder.sequence({builder.characters(others), rest}));
  if (!branch.ends) choices.push_back(builder.empty());
  return builder.choice(choices);
}

struct Format {
  std::string_view name, pattern;
};
// Every text of these is valid: 29 to 31 only where each year has that day, no leap second.
constexpr std::string_view kDate =
    R"(\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8])))";
constexpr std::string_view kTime = R"(([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))";
constexpr std::array<Format, 2> kFormats = {{
    {"uuid", "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},
    {"ipv4", R"(^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$)"},
}};

}  // namespace

bool is_escaped(char32_t c) { return escaped().contains(c); }

Symbol json_character(GrammarBuilder& builder, const CodePointSet& set) {
  std::vector<Symbol> choices;
  const CodePointSet plain = set.without(escaped()), special = set.intersection(escaped());
  if (!plain.empty()) choices.push_back(builder.characters(plain));
  for (const auto& [low, high] : special.ranges()) {
    for (char32_t c = low; c <= high; ++c) choices.push_back(builder.literal(escape_of(c)));
  }
  return choices.size() == 1 ? choices[0] : builder.choice(choices);
}

Symbol any_json_character(GrammarBuilder& builder) {
  const Symbol hex = digits(builder, "0123456789abcdefABCDEF");
  const Symbol unicode =
      builder.choice({builder.sequence({digits(builder, "0123456789abcefABCEF"), hex, hex, hex}),
                      builder.sequence({digits(builder, "dD"), digits(builder, "01234567"), hex, hex})});
  const Symbol escape =
      builder.choice({digits(builder, "\"\\/bfnrt"), builder.sequence({builder.literal("u"), unicode})});
  return builder.choice(
      {builder.characters(escaped().complement()), builder.sequence({builder.literal("\\"), escape})});
}

Symbol json_string(GrammarBuilder& builder, int64_t least, int64_t most) {
  const Symbol quote = builder.literal("\"");
  return builder.sequence({quote, builder.repeat(any_json_character(builder), least, most), quote});
}

Symbol json_string_matching(GrammarBuilder& builder, std::string_view pattern) {
  // The same class is written the same way wherever it stands.
  std::map<CodePointSet, Symbol> written;
  const WriteCharacters write = [&](const CodePointSet& set) {
    const auto known = written.find(set);
    if (known != written.end()) return known->second;
    return written.emplace(set, json_character(builder, set)).first->second;
  };
  const Symbol quote = builder.literal("\"");
  return builder.sequence({quote, pattern_grammar(builder, pattern, write), quote});
}

Symbol json_string_except(GrammarBuilder& builder, std::span<const std::string> names) {
  Branch root;
  for (const std::string& name : names) {
    Branch* at = &root;
    for (std::string_view rest = name; !rest.empty();) {
      char32_t c = 0;
      rest.remove_prefix(static_cast<size_t>(std::max(decode_utf8(rest, c), 1)));
      at = &at->next[c];
    }
    at->ends = true;
  }
  const Symbol quote = builder.literal("\"");
  const Symbol rest = builder.repeat(builder.characters(escaped().complement()), 0, GrammarBuilder::kUnlimited);
  return builder.sequence({quote, except(builder, root, rest), quote});
}

std::string_view format_pattern(std::string_view format) {
  static const std::string date = fmt::format("^{}$", kDate), time = fmt::format("^{}$", kTime),
                           both = fmt::format("^{}T{}$", kDate, kTime);
  if (format == "date") return date;
  if (format == "time") return time;
  if (format == "date-time") return both;
  for (const Format& known : kFormats) {
    if (known.name == format) return known.pattern;
  }
  return {};
}

}  // namespace sensorium::text::grammar
