#include "text/template/lexer.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/text.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {
namespace {

// Published templates have up to 20 KB.
constexpr size_t kMaxSourceBytes = size_t{1} << 20;

std::string normalize_newlines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
      continue;
    }
    out += '\n';
    if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data();
    push(Token::Type::end, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail_here(std::string_view message) const {
    fail(ErrorKind::invalid_data, "line {}: {}", line_, message);
  }

  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  bool at(std::string_view text) const { return std::string_view(source_).substr(at_).starts_with(text); }

  void advance_to(size_t position) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    if (position > at_) line_starts_ = source_[position - 1] == '\n';
    at_ = position;
  }

  void push(Token::Type type, std::string text) { tokens_.push_back({type, std::move(text), line_}); }

  // Start of the white space that ends the text before `end`, but not before `begin`.
  size_t space_before(size_t begin, size_t end) const {
    while (end > begin) {
      const size_t last = previous_char(source_, end);
      size_t next = last;
      if (!is_python_space(next_char(source_, next))) break;
      end = last;
    }
    return end;
  }

  size_t space_behind(size_t begin) const {
    while (begin < source_.size()) {
      size_t next = begin;
      if (!is_python_space(next_char(source_, next))) break;
      begin = next;
    }
    return begin;
  }

  // The text from here to the tag at `tag`, without the white space that the tag takes.
  void push_data(size_t tag, bool is_variable) {
    size_t end = tag;
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-') {
      end = space_before(at_, end);
    } else if (sign != '+' && !is_variable) {
      const size_t start =
          at_ + (std::string_view(source_).substr(at_, tag - at_).rfind('\n') + 1);  // of the last line
      if ((start > at_ || line_starts_) && space_before(start, tag) == start) end = start;
    }
    if (end > at_) push(Token::Type::data, source_.substr(at_, end - at_));
  }

  void read_data() {
    size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        push(Token::Type::data, source_.substr(at_));
        return advance_to(source_.size());
      }
      if (source_[tag + 1] == '{' || source_[tag + 1] == '%' || source_[tag + 1] == '#') break;
      ++tag;
    }
    const char kind = source_[tag + 1];
    push_data(tag, kind == '{');
    advance_to(tag);
    const size_t sign = tag + 2 < source_.size() && (source_[tag + 2] == '-' || source_[tag + 2] == '+') ? 1 : 0;
    if (kind == '#') return skip_comment(tag + 2 + sign);
    if (kind == '%' && read_raw(tag + 2 + sign)) return;
    const bool is_block = kind == '%';
    push(is_block ? Token::Type::block_begin : Token::Type::variable_begin, {});
    advance_to(tag + 2 + sign);
    read_expression(is_block);
  }

  // Moves past an end of two characters at `end`, which has the sign before it, and what it takes behind it.
  void close(size_t end, char sign, bool takes_newline) {
    size_t next = end + 2;
    if (sign == '-') {
      next = space_behind(next);
    } else if (sign != '+' && takes_newline && next < source_.size() && source_[next] == '\n') {
      ++next;
    }
    advance_to(next);
  }

  void skip_comment(size_t begin) {
    const size_t end = source_.find("#}", begin);
    if (end == std::string::npos) fail_here("a comment without an end");
    close(end, end > begin ? source_[end - 1] : '\0', true);
  }

  // {% raw %}: its text is data up to {% endraw %}.
  bool read_raw(size_t begin) {
    const auto word_at = [&](size_t from, std::string_view word, size_t& behind, char& sign) {
      size_t i = space_behind(from);
      if (std::string_view(source_).substr(i, word.size()) != word) return false;
      i = space_behind(i + word.size());
      sign = i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? source_[i] : '\0';
      if (sign != '\0') ++i;
      behind = i;
      return std::string_view(source_).substr(i, 2) == "%}";
    };
    size_t behind = 0;
    char sign = '\0';
    if (!word_at(begin, "raw", behind, sign) || sign == '+') return false;
    close(behind, sign, false);
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 1)) {
      const char before = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      if (!word_at(tag + 2 + (before == '-' || before == '+' ? 1 : 0), "endraw", behind, sign)) continue;
      push_data(tag, false);
      advance_to(tag);
      close(behind, sign, true);
      return true;
    }
    fail_here("{% raw %} without {% endraw %}");
  }

  void read_expression(bool is_block) {
    const std::string_view end = is_block ? "%}" : "}}";
    std::string open;  // brackets that are not closed yet
    while (true) {
      advance_to(space_behind(at_));
      if (at_ >= source_.size()) fail_here(is_block ? "a tag without an end" : "an expression without an end");
      if (open.empty()) {
        const bool signed_end = (peek() == '-' || (peek() == '+' && is_block)) && source_.compare(at_ + 1, 2, end) == 0;
        if (signed_end || at(end)) {
          push(is_block ? Token::Type::block_end : Token::Type::variable_end, {});
          return close(at_ + (signed_end ? 1 : 0), signed_end ? peek() : '\0', is_block);
        }
      }
      read_token(open);
    }
  }

  void read_token(std::string& open) {
    const char c = peek();
    if (c == '"' || c == '\'') return read_string(c);
    if (is_digit(c)) return read_number();
    if (const size_t end = name_end(at_); end > at_) {
      push(Token::Type::name, source_.substr(at_, end - at_));
      return advance_to(end);
    }
    static constexpr std::array<std::string_view, 6> kPairs = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view pair : kPairs) {
      if (at(pair)) {
        push(Token::Type::symbol, std::string(pair));
        return advance_to(at_ + 2);
      }
    }
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      size_t next = at_;
      next_char(source_, next);
      fail_here(fmt::format("unexpected character '{}'", source_.substr(at_, next - at_)));
    }
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) fail_here(fmt::format("unexpected '{}'", c));
      if (open.back() != c) fail_here(fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      open.pop_back();
    }
    push(Token::Type::symbol, std::string(1, c));
    advance_to(at_ + 1);
  }

  size_t name_end(size_t i) const {
    while (i < source_.size()) {
      size_t next = i;
      const char32_t c = next_char(source_, next);
      if (!is_word(c)) break;
      i = next;
    }
    return i;
  }

  void read_number() {
    const auto digits_end = [&](size_t i, auto&& fits) {
      while (i < source_.size() &&
             (fits(source_[i]) || (source_[i] == '_' && i + 1 < source_.size() && fits(source_[i + 1]))))
        ++i;
      return i;
    };
    const auto add = [&](Token::Type type, size_t end) {
      std::string digits = source_.substr(at_, end - at_);
      std::erase(digits, '_');
      push(type, std::move(digits));
      advance_to(end);
    };
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && hex_digit(peek(2)) >= 0) {
      return add(Token::Type::integer, digits_end(at_ + 2, [](char c) { return hex_digit(c) >= 0; }));
    }
    size_t end = digits_end(at_, is_digit);
    bool real = false;
    const bool is_member = at_ > 0 && source_[at_ - 1] == '.';
    if (!is_member && end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      end = digits_end(end + 1, is_digit);
      real = true;
    }
    if (!is_member && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        end = digits_end(exponent, is_digit);
        real = true;
      }
    }
    add(real ? Token::Type::real : Token::Type::integer, end);
  }

  void read_string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_here("a string without an end");
    push(Token::Type::string, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance_to(end + 1);
  }

  // The escapes of Python; one that is none stands for itself.
  std::string unescape(std::string_view text) const {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      if (text[i] != '\\' || i + 1 >= text.size()) {
        out += text[i++];
        continue;
      }
      const char c = text[i + 1];
      static constexpr std::string_view kPlain = "\\'\"abfnrtv", kMeant = "\\'\"\a\b\f\n\r\t\v";
      const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (const size_t place = kPlain.find(c); place != std::string_view::npos) {
        out += kMeant[place];
        i += 2;
      } else if (c == '\n') {
        i += 2;
      } else if (c >= '0' && c <= '7') {
        uint32_t value = 0;
        size_t k = i + 1;
        for (; k < text.size() && k < i + 4 && text[k] >= '0' && text[k] <= '7'; ++k)
          value = value * 8 + static_cast<uint32_t>(text[k] - '0');
        append_utf8(out, value);
        i = k;
      } else if (digits > 0) {
        uint64_t value = 0;
        for (size_t k = 0; k < digits; ++k) {
          const int digit = i + 2 + k < text.size() ? hex_digit(text[i + 2 + k]) : -1;
          if (digit < 0) fail_here(fmt::format("a \\{} escape needs {} hexadecimal digits", c, digits));
          value = value * 16 + static_cast<uint64_t>(digit);
        }
        if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail_here("an escape that is no character");
        append_utf8(out, static_cast<char32_t>(value));
        i += 2 + digits;
      } else if (c == 'N') {
        fail_here("escapes by the name of a character are not supported");
      } else {
        out += text[i++];
      }
    }
    return out;
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize_template(std::string_view source) {
  require(source.size() <= kMaxSourceBytes, ErrorKind::limit, "a template of {} bytes, at most {} are allowed",
          source.size(), kMaxSourceBytes);
  require(is_valid_utf8(source), ErrorKind::invalid_data, "the template is not valid UTF-8");
  return Lexer(normalize_newlines(source)).run();
}

}  // namespace sensorium::text::jinja
