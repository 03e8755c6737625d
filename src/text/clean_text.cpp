#include "text/clean_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

struct Entity {
  std::string_view name, text;
};
constexpr Entity kEntities[] = {
#include "text/html_entities.inc"
};
constexpr size_t kLongestName = 32;

// Windows-1252 from 0x80 on; 0: not assigned there (Latin-1's control character, as browsers read it).
constexpr std::array<char16_t, 32> kWindows1252 = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                   0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                                   0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                   0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

// The byte >= 0x80 that Windows-1252 or Latin-1 has for a character; 0 if none.
uint8_t byte_of(char32_t c) {
  if (c >= 0x80 && c <= 0xFF) return static_cast<uint8_t>(c);
  for (size_t i = 0; i < kWindows1252.size(); ++i) {
    if (kWindows1252[i] == c) return static_cast<uint8_t>(0x80 + i);
  }
  return 0;
}

// Whether a sequence of these bytes is taken for UTF-8. Two bytes whose first is not Â or Ã may as well be a capital letter before
// a sign ("É»"): there it takes two sequences side by side.
bool is_surely_damaged(const std::string& bytes) {
  size_t i = 0, short_ones = 0;
  while (i < bytes.size()) {
    char32_t c = 0;
    const int length = decode_utf8(std::string_view(bytes).substr(i), c);
    const auto lead = static_cast<uint8_t>(bytes[i]);
    if (length > 2 || lead == 0xC2 || lead == 0xC3) return true;
    short_ones += 1;
    i += static_cast<size_t>(length);
  }
  return short_ones > 1;
}

// Runs of characters whose bytes are valid UTF-8 become what they spell.
std::string undo_wrong_encoding(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    std::string bytes;
    size_t end = i;
    while (end < text.size()) {
      size_t next = end;
      const uint8_t byte = byte_of(next_char(text, next));
      if (byte == 0) break;
      bytes.push_back(static_cast<char>(byte));
      end = next;
    }
    if (!bytes.empty() && is_valid_utf8(bytes) && is_surely_damaged(bytes)) {
      out += bytes;
    } else {
      if (end == i) next_char(text, end);
      out.append(text.substr(i, end - i));
    }
    i = end;
  }
  return out;
}

// "\x1b[0m": what terminals read.
std::string remove_terminal_escapes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '[') {
      size_t end = i + 2;
      while (end < text.size() && (std::string_view("0123456789;").find(text[end]) != std::string_view::npos)) ++end;
      const bool letter =
          end < text.size() && std::string_view("ABCDEFGHJKSTfminsulh").find(text[end]) != std::string_view::npos;
      if (letter) {
        i = end;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

struct Ligature {
  char32_t character;
  std::string_view letters;
};
constexpr std::array<Ligature, 22> kLigatures = {{
    {0x0132, "IJ"},        {0x0133, "ij"}, {0x0149, "\xCA\xBCn"}, {0x01C4, "D\xC5\xBD"}, {0x01C5, "D\xC5\xBE"},
    {0x01C6, "d\xC5\xBE"}, {0x01C7, "LJ"}, {0x01C8, "Lj"},        {0x01C9, "lj"},        {0x01CA, "NJ"},
    {0x01CB, "Nj"},        {0x01CC, "nj"}, {0x01F1, "DZ"},        {0x01F2, "Dz"},        {0x01F3, "dz"},
    {0xFB00, "ff"},        {0xFB01, "fi"}, {0xFB02, "fl"},        {0xFB03, "ffi"},       {0xFB04, "ffl"},
    {0xFB05, "\xC5\xBFt"}, {0xFB06, "st"},
}};

bool is_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || (c >= 0x206A && c <= 0x206F) ||
         c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

// Character by character: quotes, ligatures, widths, line breaks, control characters.
void append_plain(std::string& out, std::string_view given, char32_t c) {
  if ((c >= 0x2018 && c <= 0x201B) || c == 0x02BC) {
    out.push_back('\'');
  } else if (c >= 0x201C && c <= 0x201F) {
    out.push_back('"');
  } else if (c == 0x2028 || c == 0x2029) {
    out.push_back('\n');
  } else if (c >= 0x80 && c <= 0x9F && kWindows1252[c - 0x80] != 0) {
    append_utf8(out, kWindows1252[c - 0x80]);  // no control character that anybody writes
  } else if ((c >= 0xFF01 && c <= 0xFFEF) || c == 0x3000) {
    out += normalize(given, NormalForm::nfkc);
  } else if (is_control(c)) {
    return;
  } else if (const auto* found = std::ranges::find(kLigatures, c, &Ligature::character); found != kLigatures.end()) {
    out += found->letters;
  } else {
    out.append(given);
  }
}

std::optional<std::string_view> find_entity(std::string_view name) {
  const auto* found = std::ranges::lower_bound(kEntities, name, {}, &Entity::name);
  return found != std::end(kEntities) && found->name == name ? std::optional(found->text) : std::nullopt;
}

// What a number stands for; none: no character.
void append_number(std::string& out, uint32_t number) {
  if (number == 0 || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF)) {
    append_utf8(out, 0xFFFD);
  } else if (number >= 0x80 && number <= 0x9F) {
    const char16_t mapped = kWindows1252[number - 0x80];
    append_utf8(out, mapped != 0 ? mapped : static_cast<char32_t>(number));
  } else if (number == 0x0D) {
    out.push_back('\r');
  } else {
    const bool noncharacter = (number & 0xFFFE) == 0xFFFE || (number >= 0xFDD0 && number <= 0xFDEF);
    const bool control = number < 0x09 || number == 0x0B || (number >= 0x0E && number <= 0x1F) || number == 0x7F;
    if (!noncharacter && !control) append_utf8(out, static_cast<char32_t>(number));
  }
}

enum class Semicolon : uint8_t { needed, optional };

// A reference at text[at] == '&': appends what it stands for and returns its length, 0 if it is none.
size_t read_reference(std::string_view text, size_t at, Semicolon semicolon, std::string& out) {
  const std::string_view rest = text.substr(at + 1);
  if (rest.starts_with('#')) {
    const bool hex = rest.size() > 1 && (rest[1] == 'x' || rest[1] == 'X');
    const size_t first = hex ? 2 : 1;
    uint32_t number = 0;
    size_t end = first;
    for (; end < rest.size(); ++end) {
      const char c = rest[end];
      const int lower = c >= 'A' && c <= 'F' ? c + 32 : c;
      const int digit = c >= '0' && c <= '9' ? c - '0' : hex && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
      if (digit < 0) break;
      number = std::min<uint32_t>(number, 0x110000) * (hex ? 16 : 10) + static_cast<uint32_t>(digit);
    }
    const bool ends = end < rest.size() && rest[end] == ';';
    if (end == first || (semicolon == Semicolon::needed && !ends)) return 0;
    append_number(out, number);
    return 1 + end + (ends ? 1 : 0);
  }
  size_t length = 0;
  while (length < rest.size() && length < kLongestName &&
         std::string_view("\t\n\f <&#;").find(rest[length]) == std::string_view::npos) {
    ++length;
  }
  const bool ends = length < rest.size() && rest[length] == ';';
  if (semicolon == Semicolon::needed && !ends) return 0;
  for (size_t size = length + (ends ? 1 : 0); size > 1; --size) {
    if (semicolon == Semicolon::needed && size <= length) return 0;
    if (const auto found = find_entity(rest.substr(0, size))) {
      out += *found;
      return 1 + size;
    }
  }
  return 0;
}

std::string unescape(std::string_view text, Semicolon semicolon) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = text[i] == '&' ? read_reference(text, i, semicolon, out) : 0;
    if (length == 0) out.push_back(text[i]);
    i += length == 0 ? 1 : length;
  }
  return out;
}

std::string repair_once(std::string_view text) {
  // A text with tags keeps its references.
  const std::string plain =
      text.find('<') == std::string_view::npos ? unescape(text, Semicolon::needed) : std::string(text);
  const std::string decoded = undo_wrong_encoding(remove_terminal_escapes(plain));
  std::string out;
  for (size_t i = 0; i < decoded.size();) {
    const size_t begin = i;
    const char32_t c = next_char(decoded, i);
    if (c == '\r') {
      if (i >= decoded.size() || decoded[i] != '\n') out.push_back('\n');
      continue;
    }
    append_plain(out, std::string_view(decoded).substr(begin, i - begin), c);
  }
  return normalize(out, NormalForm::nfc);
}

}  // namespace

std::string repair_text(std::string_view given) {
  std::string text = repair_utf8(given);
  // Damage may lie in layers; each round shortens the text or is the last.
  for (;;) {
    std::string next = repair_once(text);
    if (next == text) return text;
    text = std::move(next);
  }
}

std::string unescape_html(std::string_view text) { return unescape(text, Semicolon::optional); }

std::string clean_text(std::string_view given) {
  const std::string text = unescape_html(unescape_html(repair_text(given)));
  std::string out;
  bool space = false;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    if (is_white_space(next_char(text, i))) {
      space = true;
      continue;
    }
    if (space && !out.empty()) out.push_back(' ');
    space = false;
    out.append(text, begin, i - begin);
  }
  return out;
}

}  // namespace sensorium::text
