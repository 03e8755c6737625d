// Text that remembers which of its bytes came from the user, through everything a template does with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/span.h"

namespace sensorium::text::jinja {

enum class Origin { program, user };

// Always valid UTF-8. Every function of this layer that makes text out of text does so with append() and part(), so that
// no character loses its origin.
class Text {
 public:
  Text() = default;
  // Invalid UTF-8 is repaired.
  explicit Text(std::string_view bytes, Origin origin = Origin::program);

  const std::string& bytes() const { return bytes_; }
  // The bytes that came from the user: sorted, not touching each other, none empty.
  const std::vector<Span>& user() const { return user_; }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }

  // begin <= end <= size(), both on character boundaries.
  Text part(size_t begin, size_t end) const;
  Text part(size_t begin) const { return part(begin, bytes_.size()); }

  // `bytes` must be valid UTF-8.
  void append(std::string_view bytes, Origin origin = Origin::program);
  void append(const Text& other) { append_part(other, 0, other.size()); }
  void append_part(const Text& other, size_t begin, size_t end);
  // `bytes` in place of other's characters begin..end-1: the user's if one of those was.
  void append_changed(std::string_view bytes, const Text& other, size_t begin, size_t end);

 private:
  void mark_user(size_t begin, size_t end);

  std::string bytes_;
  std::vector<Span> user_;
};

// Positions of a text by characters.
size_t count_characters(std::string_view text);
// Where character `index` starts; text.size() if there are not as many.
size_t byte_of_character(std::string_view text, size_t index);

enum class Side { left, right, both };
// Without white space, or without the characters of `set`, at its ends.
Text strip(const Text& text, Side side = Side::both);
Text strip(const Text& text, Side side, std::string_view set);
// Every occurrence, at most `most` of them; an empty `from` stands between all characters and at the ends.
Text replace(const Text& text, const Text& from, const Text& to, size_t most);
std::vector<Text> split(const Text& text, const Text& separator, size_t most);
std::vector<Text> split_from_right(const Text& text, const Text& separator, size_t most);
// At runs of white space; those at the ends are dropped, but for what stands behind the last part if there are `most`.
std::vector<Text> split_at_space(const Text& text, size_t most);
// At Python's line ends.
std::vector<Text> split_lines(const Text& text, bool keep_ends);
Text join(const std::vector<Text>& parts, const Text& separator);

enum class Case {
  upper,
  lower,
  title,        // str.title(): a capital behind every character that is no letter
  title_words,  // the filter: behind white space, '-' and brackets, and everything else small
  capital,      // one capital in front
};
// By the simple mappings of Unicode; the German sharp s in upper case is "SS".
Text change_case(const Text& text, Case to);

}  // namespace sensorium::text::jinja
