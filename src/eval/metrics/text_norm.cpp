#include "eval/metrics/text_norm.h"

#include <array>
#include <charconv>
#include <utility>

namespace sensorium::eval {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Letters, digits and every byte of a non-ASCII character.
bool is_word_byte(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// U+2019, the typographic apostrophe, as '.
std::string plain_apostrophes(std::string text) {
  static constexpr std::string_view kCurly = "\xE2\x80\x99";
  for (size_t at = text.find(kCurly); at != std::string::npos; at = text.find(kCurly, at)) text.replace(at, 3, "'");
  return text;
}

constexpr std::array<std::string_view, 20> kUnits = {
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 8> kTens = {"twenty", "thirty",  "forty",  "fifty",
                                                   "sixty",  "seventy", "eighty", "ninety"};

template <size_t N>
int index_of(const std::array<std::string_view, N>& names, std::string_view word) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == word) return static_cast<int>(i);
  }
  return -1;
}

// The text in pieces of word bytes; a number keeps its sign, its point and loses its thousands commas; apostrophes
// vanish (dont), every other mark separates.
std::vector<std::string> answer_words(std::string_view raw) {
  std::string text = plain_apostrophes(lower_ascii(raw));
  std::erase(text, '\'');
  std::vector<std::string> words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit_next = i + 1 < text.size() && is_digit(text[i + 1]);
    const bool digit_before = i > 0 && is_digit(text[i - 1]);
    const bool word_before = i > 0 && is_word_byte(text[i - 1]);
    if (is_word_byte(c) || (c == '.' && digit_next && !(word_before && !digit_before)) ||
        (c == '-' && digit_next && !word_before)) {
      words.back() += c;
    } else if (c == ',' && digit_before && digit_next) {
      continue;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// 3.0 -> 3, 007 -> 7, .5 -> 0.5; anything that is not a plain decimal number is returned as it is.
std::string canonical_number(const std::string& word) {
  const bool negative = !word.empty() && word[0] == '-';
  const std::string digits = word.substr(negative ? 1 : 0);
  size_t points = 0;
  for (char c : digits) {
    if (c == '.') {
      ++points;
    } else if (!is_digit(c)) {
      return word;
    }
  }
  if (digits.empty() || points > 1 || digits == ".") return word;
  const size_t point = digits.find('.');
  std::string whole = digits.substr(0, point);
  std::string part = point == std::string::npos ? "" : digits.substr(point + 1);
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  part.erase(part.find_last_not_of('0') + 1);
  if (whole.empty()) whole = "0";
  const std::string number = part.empty() ? whole : whole + "." + part;
  return negative && number != "0" ? "-" + number : number;
}

// Number words become digits; "twenty one" is one number.
std::vector<std::string> read_numbers(std::vector<std::string> words) {
  std::vector<std::string> out;
  for (size_t i = 0; i < words.size(); ++i) {
    const int unit = index_of(kUnits, words[i]);
    const int ten = index_of(kTens, words[i]);
    if (unit >= 0) {
      out.push_back(std::to_string(unit));
    } else if (ten >= 0) {
      const int next = i + 1 < words.size() ? index_of(kUnits, words[i + 1]) : -1;
      const bool joined = next >= 1 && next <= 9;
      out.push_back(std::to_string((ten + 2) * 10 + (joined ? next : 0)));
      if (joined) ++i;
    } else if (words[i] == "none") {
      out.push_back("0");
    } else {
      out.push_back(canonical_number(words[i]));
    }
  }
  return out;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  for (std::string_view candidate : list) {
    if (candidate == word) return true;
  }
  return false;
}

}  // namespace

std::string normalize_answer(std::string_view answer) {
  std::string out;
  for (const std::string& word : read_numbers(answer_words(answer))) {
    if (is_one_of(word, {"a", "an", "the"})) continue;
    if (!out.empty()) out += ' ';
    out += word;
  }
  if (is_one_of(out, {"yeah", "yep", "true", "correct"})) return "yes";
  if (is_one_of(out, {"nope", "false", "incorrect", "wrong"})) return "no";
  return out;
}

std::optional<double> first_number(std::string_view text) {
  for (const std::string& word : read_numbers(answer_words(text))) {
    double value = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, value);
    // "3rd" or "2x" are words; "inf" and "nan", which from_chars reads, are too.
    if (error == std::errc() && stop == end && (is_digit(word[0]) || word[0] == '-' || word[0] == '.')) return value;
  }
  return std::nullopt;
}

std::vector<std::string> transcript_words(std::string_view raw) {
  const std::string text = plain_apostrophes(lower_ascii(raw));
  std::vector<std::string> words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool inside = i > 0 && i + 1 < text.size() && is_word_byte(text[i - 1]) && is_word_byte(text[i + 1]);
    if (is_word_byte(c) || ((c == '\'' || c == '-') && inside)) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::vector<std::string> caption_tokens(std::string_view raw) {
  const std::string text = plain_apostrophes(lower_ascii(raw));
  std::vector<std::string> tokens;
  std::string word;
  auto flush = [&] {
    if (word.empty()) return;
    static constexpr std::array<std::string_view, 7> kClitics = {"n't", "'s", "'re", "'ve", "'ll", "'d", "'m"};
    for (std::string_view clitic : kClitics) {
      if (word.size() > clitic.size() && word.ends_with(clitic)) {
        tokens.push_back(word.substr(0, word.size() - clitic.size()));
        word = clitic;
        break;
      }
    }
    tokens.push_back(std::exchange(word, {}));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool inside = i > 0 && i + 1 < text.size() && is_word_byte(text[i - 1]) && is_word_byte(text[i + 1]);
    const bool in_number = inside && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (is_word_byte(c) || ((c == '\'' || c == '-') && inside) || ((c == '.' || c == ',') && in_number)) {
      word += c;
    } else {
      flush();
    }
  }
  flush();
  return tokens;
}

}  // namespace sensorium::eval
