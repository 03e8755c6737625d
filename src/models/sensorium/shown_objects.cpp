#include "models/sensorium/shown_objects.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace sensorium::models {
namespace {

// Words of a phrase in lower case, plurals cut: "Helmets?" -> "helmet".
std::vector<std::string> stems(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  std::erase(words, "");
  for (std::string& word : words) {
    if (word.size() > 3 && word.back() == 's') word.pop_back();
  }
  return words;
}

bool contains_phrase(const std::vector<std::string>& words, const std::vector<std::string>& phrase) {
  return !phrase.empty() && std::search(words.begin(), words.end(), phrase.begin(), phrase.end()) != words.end();
}
bool shares_word(const std::vector<std::string>& words, const std::vector<std::string>& phrase) {
  return std::any_of(phrase.begin(), phrase.end(), [&](const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  });
}

// The answer if it is a whole number and nothing else.
std::optional<size_t> number_in(std::string_view answer) {
  while (!answer.empty() && (answer.front() == ' ' || answer.front() == '\n')) answer.remove_prefix(1);
  while (!answer.empty() && (answer.back() == ' ' || answer.back() == '.' || answer.back() == '\n'))
    answer.remove_suffix(1);
  size_t number = 0;
  const auto [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), number);
  if (answer.empty() || error != std::errc() || end != answer.data() + answer.size()) return std::nullopt;
  return number;
}

}  // namespace

std::vector<size_t> shown_objects(std::string_view question, std::string_view answer,
                                  std::span<const FoundObject> objects) {
  using Kinds = std::set<std::string>;
  std::vector<std::string> words = stems(question);
  for (std::string& word : stems(answer)) words.push_back(std::move(word));
  std::map<std::string, size_t> counts;
  for (const FoundObject& object : objects) ++counts[object.label];

  Kinds named, related, all;
  for (const auto& [kind, count] : counts) {
    const std::vector<std::string> phrase = stems(kind);
    if (contains_phrase(words, phrase)) named.insert(kind);
    if (shares_word(words, phrase)) related.insert(kind);
    all.insert(kind);
  }
  const auto chosen = [&](const Kinds& kinds) {
    std::vector<size_t> indices;
    for (size_t i = 0; i < objects.size(); ++i) {
      if (kinds.contains(objects[i].label)) indices.push_back(i);
    }
    return indices;
  };
  if (const std::optional<size_t> number = number_in(answer)) {
    if (*number == 0) return {};
    const auto has_so_many = [&](const Kinds& kinds) {
      size_t total = 0;
      for (const std::string& kind : kinds) total += counts[kind];
      return total == *number;
    };
    for (const Kinds* kinds : {&named, &related, &all}) {
      if (has_so_many(*kinds)) return chosen(*kinds);
    }
    Kinds single;
    for (const auto& [kind, count] : counts) {
      if (count == *number) single.insert(kind);
    }
    if (single.size() == 1) return chosen(single);
  }
  return chosen(named.empty() ? related : named);
}

}  // namespace sensorium::models
