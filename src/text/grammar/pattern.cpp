#include "text/grammar/pattern.h"

#include <string>

#include "base/error.h"
#include "base/utf8.h"

namespace sensorium::text::grammar {
namespace {

constexpr int kMostDepth = 50;
constexpr int64_t kMostRepetitions = 1 << 16;

const CodePointSet& digits() {
  static const CodePointSet set({{'0', '9'}});
  return set;
}
const CodePointSet& word_characters() {
  static const CodePointSet set({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
  return set;
}
// ECMA-262: white space and line terminators.
const CodePointSet& spaces() {
  static const CodePointSet set({{9, 13},
                                 {' ', ' '},
                                 {0xA0, 0xA0},
                                 {0x1680, 0x1680},
                                 {0x2000, 0x200A},
                                 {0x2028, 0x2029},
                                 {0x202F, 0x202F},
                                 {0x205F, 0x205F},
                                 {0x3000, 0x3000},
                                 {0xFEFF, 0xFEFF}});
  return set;
}
const CodePointSet& line_terminators() {
  static const CodePointSet set({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
  return set;
}

class Parser {
 public:
  Parser(GrammarBuilder& builder, std::string_view pattern, const WriteCharacters& write)
      : builder_(builder), text_(pattern), write_(write) {}

  Symbol parse() {
    const Symbol anything = builder_.repeat(write_(CodePointSet::all()), 0, GrammarBuilder::kUnlimited);
    std::vector<Symbol> alternatives;
    do {
      std::vector<Symbol> parts;
      if (!take('^')) parts.push_back(anything);
      parts.push_back(read_sequence());
      if (!take('$')) parts.push_back(anything);
      alternatives.push_back(builder_.sequence(parts));
    } while (take('|'));
    expect(at_ == text_.size(), "an unexpected \"{}\"", text_.substr(at_, 1));
    return builder_.choice(alternatives);
  }

 private:
  template <typename... Args>
  void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (condition) return;
    fail(ErrorKind::usage, "pattern \"{}\": {}", text_, fmt::format(format, std::forward<Args>(args)...));
  }
  void refuse(std::string_view what) const {
    fail(ErrorKind::unsupported, "pattern \"{}\": {} is not supported", text_, what);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool more() const { return at_ < text_.size(); }
  bool take(char c) {
    if (!more() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Symbol read_sequence() {
    std::vector<Symbol> symbols;
    while (more() && peek() != '|' && peek() != ')' && !(peek() == '$' && at_end_of_alternative())) {
      symbols.push_back(read_repetition(read_atom()));
    }
    return builder_.sequence(symbols);
  }
  bool at_end_of_alternative() const { return depth_ == 0 && (at_ + 1 == text_.size() || text_[at_ + 1] == '|'); }

  Symbol read_atom() {
    if (take('(')) return read_group();
    if (take('[')) return write_(read_class());
    if (take('.')) return write_(line_terminators().complement());
    if (peek() == '^' || peek() == '$') refuse(fmt::format("\"{}\" inside a pattern", peek()));
    expect(std::string_view("*+?{").find(peek()) == std::string_view::npos, "nothing stands before \"{}\"", peek());
    if (take('\\')) return write_(read_escape());
    CodePointSet set;
    set.add(read_code_point());
    return write_(set);
  }

  Symbol read_group() {
    expect(++depth_ <= kMostDepth, "groups are nested deeper than {}", kMostDepth);
    if (take('?')) {
      if (peek() == '=' || peek() == '!') refuse("look-ahead");
      if (text_.substr(at_).starts_with("<=") || text_.substr(at_).starts_with("<!")) refuse("look-behind");
      if (take('<')) {
        while (more() && peek() != '>') ++at_;
        expect(take('>'), "the name of a group does not end");
      } else {
        expect(take(':'), "an unknown kind of group");
      }
    }
    std::vector<Symbol> alternatives;
    do {
      alternatives.push_back(read_sequence());
    } while (take('|'));
    expect(take(')'), "a group does not end");
    --depth_;
    return builder_.choice(alternatives);
  }

  Symbol read_repetition(Symbol symbol) {
    int64_t least = 0, most = GrammarBuilder::kUnlimited;
    if (take('*')) {
    } else if (take('+')) {
      least = 1;
    } else if (take('?')) {
      most = 1;
    } else if (take('{')) {
      expect(peek() >= '0' && peek() <= '9', "a number is missing behind \"{{\"");
      least = most = read_number();
      if (take(',')) most = peek() == '}' ? GrammarBuilder::kUnlimited : read_number();
      expect(take('}'), "a repetition does not end");
      expect(most == GrammarBuilder::kUnlimited || most >= least, "a repetition of {} to {} times", least, most);
    } else {
      return symbol;
    }
    take('?');  // which match is found first does not matter: all texts that match are allowed
    if (peek() == '+') refuse("a possessive repetition");
    return builder_.repeat(symbol, least, most);
  }

  int64_t read_number() {
    int64_t number = 0;
    expect(peek() >= '0' && peek() <= '9', "a number is missing in a repetition");
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      number = number * 10 + (peek() - '0');
      expect(number <= kMostRepetitions, "a repetition of more than {} times", kMostRepetitions);
    }
    return number;
  }

  char32_t read_code_point() {
    char32_t code_point = 0;
    const int size = decode_utf8(text_.substr(at_), code_point);
    expect(size > 0, "it ends too early, or is no UTF-8");
    at_ += static_cast<size_t>(size);
    return code_point;
  }

  // Behind a backslash.
  CodePointSet read_escape() {
    expect(more(), "it ends in a backslash");
    const char c = peek();
    CodePointSet one;
    switch (c) {
      case 'd':
      case 'D':
        ++at_;
        return c == 'd' ? digits() : digits().complement();
      case 'w':
      case 'W':
        ++at_;
        return c == 'w' ? word_characters() : word_characters().complement();
      case 's':
      case 'S':
        ++at_;
        return c == 's' ? spaces() : spaces().complement();
      case 'x':
        ++at_;
        one.add(read_hex(2));
        return one;
      case 'u':
        ++at_;
        one.add(read_hex(4));
        return one;
      default:
        break;
    }
    constexpr std::string_view kNames = "tnrfv0", kValues("\t\n\r\f\v\0", 6);
    if (const size_t known = kNames.find(c); known != std::string_view::npos) {
      ++at_;
      one.add(static_cast<unsigned char>(kValues[known]));
      return one;
    }
    if (c >= '1' && c <= '9') refuse("a back reference");
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) refuse(fmt::format("\\{}", c));
    one.add(read_code_point());
    return one;
  }

  char32_t read_hex(int count) {
    char32_t value = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      expect(digit >= 0, "expected {} hexadecimal digits", count);
      value = value << 4 | static_cast<char32_t>(digit);
    }
    if (value >= 0xD800 && value <= 0xDFFF) refuse("half of a surrogate pair");
    return value;
  }

  CodePointSet read_class() {
    const bool negated = take('^');
    CodePointSet set;
    while (!take(']')) {
      expect(more(), "a class does not end");
      const CodePointSet low = read_class_atom();
      const bool single = low.ranges().size() == 1 && low.ranges()[0].first == low.ranges()[0].second;
      if (!single || peek() != '-' || text_.substr(at_, 2) == "-]") {
        set.add(low);
        continue;
      }
      ++at_;
      const CodePointSet high = read_class_atom();
      const bool range = high.ranges().size() == 1 && high.ranges()[0].first == high.ranges()[0].second &&
                         low.ranges()[0].first <= high.ranges()[0].first;
      expect(range, "a class with a range that is none");
      set.add(low.ranges()[0].first, high.ranges()[0].first);
    }
    return negated ? set.complement() : set;
  }
  CodePointSet read_class_atom() {
    if (take('\\')) {
      if (take('b')) return CodePointSet({{'\b', '\b'}});
      return read_escape();
    }
    CodePointSet one;
    one.add(read_code_point());
    return one;
  }

  GrammarBuilder& builder_;
  std::string_view text_;
  const WriteCharacters& write_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Symbol pattern_grammar(GrammarBuilder& builder, std::string_view pattern, const WriteCharacters& write) {
  return Parser(builder, pattern, write).parse();
}

}  // namespace sensorium::text::grammar
