#include "text/word_split.h"

#include <array>
#include <utility>

#include "text/unicode.h"

namespace sensorium::text {
namespace {

constexpr std::array<CharClass, 128> make_ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (size_t c = '0'; c <= '9'; ++c) classes[c] = CharClass::number;
  for (size_t c = 'A'; c <= 'Z'; ++c) classes[c] = classes[c + 32] = CharClass::letter;
  for (size_t c = 9; c <= 13; ++c) classes[c] = CharClass::space;
  classes[' '] = CharClass::space;
  return classes;
}

constexpr std::array<CharClass, 128> kAscii = make_ascii_classes();

// The class of the character at `i`, and the position behind it.
CharClass class_at(std::string_view text, size_t i, size_t& next) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte < 0x80) {
    next = i + 1;
    return kAscii[byte];
  }
  next = i;
  return char_class(next_char(text, next));
}

// End of the run of characters of one class that starts at `i`.
size_t run_end(std::string_view text, size_t i, CharClass wanted) {
  size_t next = i;
  while (i < text.size() && class_at(text, i, next) == wanted) i = next;
  return i;
}

size_t skip_newlines(std::string_view text, size_t i) {
  while (i < text.size() && (text[i] == '\n' || text[i] == '\r')) ++i;
  return i;
}

// \s+(?!\S)|\s+ : the run of white space without its last character, if a word follows that may take it.
size_t space_run(std::string_view text, size_t end) {
  if (end == text.size()) return end;
  const size_t last = previous_char(text, end);
  return last > 0 ? last : end;
}

enum class Case { exact, any };

// 's|'t|'re|'ve|'m|'ll|'d at the start of `text`; 0 if there is none.
size_t contraction(std::string_view text, Case letter_case) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto letter = [&](size_t i) -> char {
    const char c = i < text.size() ? text[i] : '\0';
    return letter_case == Case::any && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? 3 : 0;
    case 'l':
      return letter(2) == 'l' ? 3 : 0;
    default:  // the long s folds to s
      return letter_case == Case::any && text.substr(1).starts_with("\xC5\xBF") ? 3 : 0;
  }
}

size_t gpt2_word(std::string_view text) {
  if (const size_t length = contraction(text, Case::exact)) return length;
  size_t next = 0;
  CharClass first = class_at(text, 0, next);
  if (text[0] == ' ' && text.size() > 1) {
    size_t after = 0;
    const CharClass second = class_at(text, 1, after);
    if (second != CharClass::space) {
      first = second;
      next = after;
    }
  }
  const size_t end = run_end(text, next, first);
  return first == CharClass::space ? space_run(text, end) : end;
}

// The patterns of Llama 3 and Qwen2 differ in how many digits one word may have.
size_t llama3_word(std::string_view text, int max_digits) {
  if (const size_t length = contraction(text, Case::any)) return length;
  size_t next = 0;
  const CharClass first = class_at(text, 0, next);
  if (first == CharClass::letter) return run_end(text, next, CharClass::letter);
  if (first == CharClass::number) {
    size_t end = next;
    for (int digits = 1; digits < max_digits && next < text.size(); ++digits) {
      if (class_at(text, end, next) != CharClass::number) break;
      end = next;
    }
    return end;
  }
  size_t after = next;
  const CharClass second = next < text.size() ? class_at(text, next, after) : CharClass::space;
  const bool newline = text[0] == '\n' || text[0] == '\r';
  if (second == CharClass::letter && !newline) return run_end(text, after, CharClass::letter);
  if (first == CharClass::other) return skip_newlines(text, run_end(text, next, CharClass::other));
  if (text[0] == ' ' && second == CharClass::other) {
    return skip_newlines(text, run_end(text, after, CharClass::other));
  }
  const size_t end = run_end(text, next, CharClass::space);
  const size_t newline_at = text.substr(0, end).find_last_of("\r\n");
  if (newline_at != std::string_view::npos) return newline_at + 1;
  return space_run(text, end);
}

}  // namespace

std::optional<SplitRule> rule_for_pattern(std::string_view pattern) {
  static constexpr std::pair<std::string_view, SplitRule> kRules[] = {
      {kGpt2Pattern, SplitRule::gpt2}, {kLlama3Pattern, SplitRule::llama3}, {kQwen2Pattern, SplitRule::qwen2}};
  for (const auto& [known, rule] : kRules) {
    if (known == pattern) return rule;
  }
  return std::nullopt;
}

size_t first_word(SplitRule rule, std::string_view text) {
  switch (rule) {
    case SplitRule::gpt2:
      return gpt2_word(text);
    case SplitRule::llama3:
      return llama3_word(text, 3);
    case SplitRule::qwen2:
      return llama3_word(text, 1);
  }
  return text.size();
}

size_t safe_split(std::string_view text, size_t wanted) {
  for (size_t i = text.find(' ', wanted < 1 ? 1 : wanted); i != std::string_view::npos; i = text.find(' ', i + 1)) {
    size_t before = previous_char(text, i);
    if (!is_white_space(next_char(text, before))) return i;
  }
  return text.size();
}

}  // namespace sensorium::text
