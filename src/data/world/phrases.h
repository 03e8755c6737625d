// Small English: numbers, plurals, lists.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sensorium::data {

// "zero" .. "twenty", digits above.
std::string number_word(int n);
// "square" -> "squares", "box" -> "boxes", "fish" -> "fish"; the last word of a phrase ("red box" -> "red boxes").
std::string plural(std::string_view noun);
// "a red square", "an orange square".
std::string with_article(std::string_view noun);
// 0 -> "no squares", 1 -> "a square" or "one square", 3 -> "three squares".
enum class OneAs { article, number };
std::string count_phrase(int n, std::string_view noun, OneAs one = OneAs::article);
// "a", "a and b", "a, b and c".
std::string join_list(const std::vector<std::string>& parts);
std::string capitalized(std::string text);

}  // namespace sensorium::data
