#include "data/world/phrases.h"

#include <array>

namespace sensorium::data {

std::string number_word(int n) {
  static constexpr std::array<std::string_view, 21> kWords = {
      "zero",     "one",     "two",     "three",     "four",     "five",     "six",
      "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
      "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};
  if (n >= 0 && n < static_cast<int>(kWords.size())) return std::string(kWords[static_cast<size_t>(n)]);
  return std::to_string(n);
}

std::string plural(std::string_view noun) {
  const std::string word(noun);
  if (word.ends_with("fish")) return word;
  if (word.ends_with("person")) return word.substr(0, word.size() - 6) + "people";
  for (std::string_view hissing : {"s", "x", "sh", "ch"}) {
    if (word.ends_with(hissing)) return word + "es";
  }
  return word + "s";
}

std::string with_article(std::string_view noun) {
  const bool vowel = !noun.empty() && std::string_view("aeiou").find(noun[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(noun);
}

std::string count_phrase(int n, std::string_view noun, OneAs one) {
  if (n == 1) return one == OneAs::article ? with_article(noun) : "one " + std::string(noun);
  return (n == 0 ? "no" : number_word(n)) + " " + plural(noun);
}

std::string join_list(const std::vector<std::string>& parts) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += i + 1 == parts.size() ? " and " : ", ";
    out += parts[i];
  }
  return out;
}

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace sensorium::data
