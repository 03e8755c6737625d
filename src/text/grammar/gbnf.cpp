#include "text/grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/utf8.h"

namespace sensorium::text::grammar {
namespace {

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr int kMostDepth = 100;
constexpr int64_t kMostRepetitions = 1 << 16;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Grammar parse() {
    skip_space(Lines::cross);
    while (at_ < text_.size()) {
      read_rule();
      skip_space(Lines::cross);
    }
    for (const auto& [name, rule] : rules_) {
      require(rule.defined, ErrorKind::usage, "line {}: there is no rule \"{}\"", rule.line, name);
    }
    require(rules_.contains("root"), ErrorKind::usage, "there is no rule \"root\", with which every text begins");
    return builder_.build(rules_.at("root").symbol);
  }

 private:
  enum class Lines { stay, cross };
  struct Rule {
    Symbol symbol;
    size_t line = 0;  // where it was first named
    bool defined = false;
  };

  template <typename... Args>
  void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (condition) return;
    fail(ErrorKind::usage, "line {}: {}", line_, fmt::format(format, std::forward<Args>(args)...));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    if (c == '\n') ++line_;
    ++at_;
    return true;
  }

  void skip_space(Lines lines) {
    for (;;) {
      if (peek() == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (peek() == ' ' || peek() == '\t' || peek() == '\r') {
        ++at_;
      } else if (lines == Lines::stay || !take('\n')) {
        return;
      }
    }
  }

  Rule& named(const std::string& name) {
    const auto [at, made] = rules_.try_emplace(name);
    if (made) at->second = {builder_.rule(name), line_, false};
    return at->second;
  }

  std::string read_name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void read_rule() {
    const std::string name = read_name();
    expect(!name.empty(), "expected the name of a rule, found {}", here());
    skip_space(Lines::stay);
    expect(text_.substr(at_).starts_with("::="), "expected ::= behind \"{}\", found {}", name, here());
    at_ += 3;
    skip_space(Lines::cross);
    Rule& rule = named(name);
    expect(!rule.defined, "the rule \"{}\" is defined twice", name);
    rule.defined = true;
    const Symbol symbol = rule.symbol;
    for (const std::vector<Symbol>& alternative : read_alternatives(Lines::stay)) {
      builder_.add_alternative(symbol, alternative);
    }
    expect(at_ >= text_.size() || peek() == '\n', "expected the end of the rule \"{}\", found {}", name, here());
  }

  std::vector<std::vector<Symbol>> read_alternatives(Lines lines) {
    std::vector<std::vector<Symbol>> alternatives;
    do {
      skip_space(alternatives.empty() ? lines : Lines::cross);
      alternatives.push_back(read_sequence(lines));
    } while (take('|'));
    return alternatives;
  }

  std::vector<Symbol> read_sequence(Lines lines) {
    std::vector<Symbol> symbols;
    for (skip_space(lines);; skip_space(lines)) {
      Symbol symbol;
      if (take('"')) {
        symbol = read_literal();
      } else if (take('[')) {
        symbol = read_class();
      } else if (take('(')) {
        expect(++depth_ <= kMostDepth, "parentheses are nested deeper than {}", kMostDepth);
        std::vector<Symbol> choices;
        for (const std::vector<Symbol>& alternative : read_alternatives(Lines::cross)) {
          choices.push_back(builder_.sequence(alternative));
        }
        expect(take(')'), "expected ) or |, found {}", here());
        --depth_;
        symbol = builder_.choice(choices);
      } else if (take('.')) {
        symbol = builder_.characters(CodePointSet::all());
      } else if (is_name(peek())) {
        symbol = named(read_name()).symbol;
      } else {
        return symbols;
      }
      symbols.push_back(read_repetition(symbol));
    }
  }

  Symbol read_repetition(Symbol symbol) {
    for (;;) {
      if (take('*')) {
        symbol = builder_.repeat(symbol, 0, GrammarBuilder::kUnlimited);
      } else if (take('+')) {
        symbol = builder_.repeat(symbol, 1, GrammarBuilder::kUnlimited);
      } else if (take('?')) {
        symbol = builder_.optional(symbol);
      } else if (take('{')) {
        const int64_t least = read_number(0);
        int64_t most = least;
        if (take(',')) {
          most = read_number(GrammarBuilder::kUnlimited);
        }
        expect(take('}'), "expected }} behind the repetition, found {}", here());
        expect(most == GrammarBuilder::kUnlimited || most >= least, "a repetition of {} to {} times", least, most);
        symbol = builder_.repeat(symbol, least, most);
      } else {
        return symbol;
      }
    }
  }

  int64_t read_number(int64_t otherwise) {
    if (peek() < '0' || peek() > '9') return otherwise;
    int64_t number = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      number = number * 10 + (peek() - '0');
      expect(number <= kMostRepetitions, "a repetition of more than {} times", kMostRepetitions);
    }
    return number;
  }

  // An escape or a character of the text, as a code point.
  char32_t read_character() {
    expect(at_ < text_.size() && peek() != '\n', "the line ends inside a literal or class");
    char32_t code_point = 0;
    if (!take('\\')) {
      const int size = decode_utf8(text_.substr(at_), code_point);
      expect(size > 0, "invalid UTF-8");
      at_ += static_cast<size_t>(size);
      return code_point;
    }
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return read_hex(2);
      case 'u':
        return read_hex(4);
      case 'U':
        return read_hex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<unsigned char>(c);
      default:
        --at_;
        expect(false, "there is no escape \\ before {}", here());
        return 0;
    }
  }

  char32_t read_hex(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      expect(digit >= 0, "expected {} hexadecimal digits, found {}", digits, here());
      value = value << 4 | static_cast<char32_t>(digit);
      ++at_;
    }
    expect(value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF), "U+{:X} is no character",
           static_cast<uint32_t>(value));
    return value;
  }

  Symbol read_literal() {
    std::string literal;
    while (!take('"')) append_utf8(literal, read_character());
    return builder_.literal(literal);
  }

  Symbol read_class() {
    const bool negated = take('^');
    CodePointSet set;
    while (!take(']')) {
      const char32_t low = read_character();
      char32_t high = low;
      if (peek() == '-' && text_.substr(at_, 2) != "-]") {
        ++at_;
        high = read_character();
      }
      expect(low <= high, "a class with a range from U+{:04X} down to U+{:04X}", static_cast<uint32_t>(low),
             static_cast<uint32_t>(high));
      set.add(low, high);
    }
    return builder_.characters(negated ? set.complement() : set);
  }

  // What stands at the place of an error.
  std::string here() const {
    if (at_ >= text_.size()) return "the end";
    if (peek() == '\n') return "the end of the line";
    return fmt::format("\"{}\"", repair_utf8(text_.substr(at_, std::min<size_t>(text_.find('\n', at_) - at_, 10))));
  }

  std::string_view text_;
  size_t at_ = 0, line_ = 1;
  int depth_ = 0;
  GrammarBuilder builder_;
  std::map<std::string, Rule> rules_;
};

}  // namespace

Result<Grammar> parse_gbnf(std::string_view text) {
  if (text.size() > kMostBytes) {
    return Error(ErrorKind::limit, fmt::format("the grammar has {} bytes, more than {}", text.size(), kMostBytes));
  }
  try {
    return Parser(text).parse();
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace sensorium::text::grammar
