#include "text/character_map.h"

#include <utf8proc.h>

#include <cstring>

#include "base/error.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

constexpr size_t kMaxClusterBytes = 5;

// A unit of a double-array trie: where its children stand, relative to itself, and what it is.
size_t offset_of(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & 0x200u) >> 6); }
bool is_value(uint32_t unit) { return (unit & 0x80000000u) != 0; }
size_t value_of(uint32_t unit) { return unit & 0x7FFFFFFFu; }
bool has_value(uint32_t unit) { return (unit & 0x100u) != 0; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FFu; }

struct Parts {
  std::vector<uint32_t> units;
  std::string_view strings;
};

// The size of the trie in bytes, the trie, the strings.
Parts parse(std::string_view table) {
  uint32_t trie_size = 0;
  require(table.size() > sizeof trie_size, ErrorKind::invalid_data, "the normalizer's table is cut off");
  std::memcpy(&trie_size, table.data(), sizeof trie_size);
  table.remove_prefix(sizeof trie_size);
  require(trie_size >= 1024 && trie_size % 1024 == 0 && trie_size < table.size(), ErrorKind::invalid_data,
          "the normalizer's table is cut off");
  Parts parts{std::vector<uint32_t>(trie_size / 4), table.substr(trie_size)};
  std::memcpy(parts.units.data(), table.data(), trie_size);
  require(parts.strings.back() == '\0', ErrorKind::invalid_data, "the normalizer's table does not end with a string");
  for (size_t i = 0; i < parts.units.size(); ++i) {
    const uint32_t unit = parts.units[i];
    if (is_value(unit)) {
      require(value_of(unit) < parts.strings.size(), ErrorKind::invalid_data,
              "the normalizer's table points outside its strings");
    } else {
      // A child stands where offset, label and this place are combined by exclusive or; blocks have 256 units.
      require((i ^ offset_of(unit)) < parts.units.size(), ErrorKind::invalid_data,
              "the normalizer's table points outside its trie");
    }
  }
  require(is_valid_utf8(parts.strings), ErrorKind::invalid_data, "the normalizer's strings are not valid text");
  return parts;
}

}  // namespace

void CharacterMap::check(std::string_view table) { parse(table); }

CharacterMap::CharacterMap(std::string_view table) {
  Parts parts = parse(table);
  units_ = std::move(parts.units);
  strings_ = parts.strings;
}

std::optional<std::string_view> CharacterMap::find(std::string_view text) const {
  size_t at = offset_of(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) return std::nullopt;
    const uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (at >= units_.size() || !is_value(units_[at])) return std::nullopt;
    return std::string_view(strings_.c_str() + value_of(units_[at]));
  }
  return std::nullopt;
}

void CharacterMap::append(std::string_view cluster, std::string& out) const {
  if (cluster.size() <= kMaxClusterBytes) {
    if (const auto found = find(cluster)) {
      out += *found;
      return;
    }
  }
  for (size_t i = 0; i < cluster.size();) {
    const size_t begin = i;
    next_char(cluster, i);
    const std::string_view character = cluster.substr(begin, i - begin);
    out += find(character).value_or(character);
  }
}

std::string CharacterMap::apply(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  utf8proc_int32_t state = 0;
  char32_t previous = 0;
  size_t cluster = 0;  // where the present one begins
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t character = next_char(text, i);
    const bool breaks = begin > 0 && utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous),
                                                                      static_cast<utf8proc_int32_t>(character), &state);
    if (breaks) {
      append(text.substr(cluster, begin - cluster), out);
      cluster = begin;
    }
    previous = character;
  }
  append(text.substr(cluster), out);
  return out;
}

}  // namespace sensorium::text
