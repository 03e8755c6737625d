// The table of characters that a SentencePiece normalizer replaces ("precompiled_charsmap"). Source: builder.cc and
// normalizer.cc of SentencePiece 0.1.97; for its use in a tokenizer.json, the crate spm_precompiled 0.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensorium::text {

class CharacterMap {
 public:
  // Throws Error(invalid_data) for a table that points outside itself, or whose strings are not valid UTF-8.
  explicit CharacterMap(std::string_view table);
  // What the constructor checks.
  static void check(std::string_view table);

  // Every grapheme cluster of less than 6 bytes is replaced by what the table has for the shortest of its beginnings, all
  // other characters one by one. (SentencePiece itself replaces the longest beginning of the rest of a text.) `text`: UTF-8.
  std::string apply(std::string_view text) const;

 private:
  // What stands for the shortest beginning of `text` that the table has.
  std::optional<std::string_view> find(std::string_view text) const;
  void append(std::string_view cluster, std::string& out) const;

  std::vector<uint32_t> units_;  // a double-array trie (Darts-clone)
  std::string strings_;          // each ends with NUL
};

}  // namespace sensorium::text
