#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace sensorium::text {
namespace {

// Two stages: a page number for each block of 256 code points, and the pages that differ.
class ClassTable {
 public:
  ClassTable() : page_of_block_(kBlocks, 0), pages_(kPageSize, CharClass::other) {
    for (const auto& range : kLetterRanges) fill(range, CharClass::letter);
    for (const auto& range : kNumberRanges) fill(range, CharClass::number);
    for (const auto& range : kSpaces) fill(range, CharClass::space);
    share_uniform_pages();
  }

  CharClass operator[](char32_t c) const {
    return c < kBlocks * kPageSize ? pages_[page_of_block_[c / kPageSize] * kPageSize + c % kPageSize]
                                   : CharClass::other;
  }

 private:
  static constexpr size_t kPageSize = 256, kBlocks = 0x110000 / kPageSize;
  static constexpr CodePointRange kSpaces[] = {{0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                               {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                               {0x205F, 0x205F}, {0x3000, 0x3000}};

  void fill(CodePointRange range, CharClass value) {
    for (char32_t c = range.first; c <= range.last; ++c) {
      uint16_t& page = page_of_block_[c / kPageSize];
      if (page == 0) {
        page = static_cast<uint16_t>(pages_.size() / kPageSize);
        pages_.resize(pages_.size() + kPageSize, CharClass::other);
      }
      pages_[page * kPageSize + c % kPageSize] = value;
    }
  }

  // The ideographs and Hangul are hundreds of blocks of letters: one page for them all keeps the table in the cache.
  void share_uniform_pages() {
    std::vector<CharClass> kept(pages_.begin(), pages_.begin() + kPageSize);
    uint16_t letters = 0;
    for (uint16_t& page : page_of_block_) {
      if (page == 0) continue;
      const auto begin = pages_.begin() + page * static_cast<std::ptrdiff_t>(kPageSize);
      const bool all_letters =
          std::all_of(begin, begin + kPageSize, [](CharClass value) { return value == CharClass::letter; });
      if (all_letters && letters != 0) {
        page = letters;
        continue;
      }
      page = static_cast<uint16_t>(kept.size() / kPageSize);
      if (all_letters) letters = page;
      kept.insert(kept.end(), begin, begin + kPageSize);
    }
    pages_ = std::move(kept);
  }

  std::vector<uint16_t> page_of_block_;
  std::vector<CharClass> pages_;
};

// End of the run of ASCII characters that starts at `i`.
size_t ascii_end(std::string_view text, size_t i) {
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (i < text.size() && !(text[i] & 0x80)) ++i;
  return i;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

void append_normal(std::string_view text, int options, std::string& out) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &mapped, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(mapped);
  require(size >= 0, ErrorKind::limit, "cannot normalise {} bytes of text: {}", text.size(), utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(size));
}

}  // namespace

CharClass char_class(char32_t character) {
  static const ClassTable table;
  return table[character];
}

bool is_white_space(char32_t character) { return char_class(character) == CharClass::space; }

bool is_word(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  if (c == 0x200C || c == 0x200D) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:  // the symbols with Other_Alphabetic: circled and squared letters
      return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
             (c >= 0x1F170 && c <= 0x1F189) || char_class(c) == CharClass::letter;
  }
}

bool is_punctuation(char32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c < 127);
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_ascii(std::string_view text) { return ascii_end(text, 0) == text.size(); }

bool is_valid_utf8(std::string_view text) {
  char32_t character = 0;
  for (size_t i = ascii_end(text, 0); i < text.size(); i = ascii_end(text, i)) {
    while (i < text.size() && (text[i] & 0x80)) {
      const int length = decode_utf8(text.substr(i), character);
      if (length == 0) return false;
      i += static_cast<size_t>(length);
    }
  }
  return true;
}

std::string normalize(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  if (form == NormalForm::nfc || form == NormalForm::nfkc) options |= UTF8PROC_COMPOSE;
  if (form == NormalForm::nfd || form == NormalForm::nfkd) options |= UTF8PROC_DECOMPOSE;
  if (form == NormalForm::nfkc || form == NormalForm::nfkd) options |= UTF8PROC_COMPAT;
  std::string out;
  out.reserve(text.size());
  // An ASCII character changes only with what follows it, and only if that is not ASCII.
  for (size_t done = 0; done < text.size();) {
    const size_t ascii = ascii_end(text, done);
    const size_t begin = ascii == text.size() || ascii == done ? ascii : ascii - 1;
    out += text.substr(done, begin - done);
    size_t end = ascii;
    while (end < text.size() && (text[end] & 0x80)) ++end;
    if (begin < end) append_normal(text.substr(begin, end - begin), options, out);
    done = end;
  }
  return out;
}

namespace {

// Capital letters that utf8proc 2.8 (Unicode 15) does not know.
struct NewCapitals {
  CodePointRange capitals;
  char32_t first_small;
};
constexpr NewCapitals kNewCapitals[] = {
    {{0x1C89, 0x1C89}, 0x1C8A},    {{0xA7CB, 0xA7CB}, 0x264},  {{0xA7CC, 0xA7CC}, 0xA7CD},
    {{0xA7CE, 0xA7CE}, 0xA7CF},    {{0xA7D2, 0xA7D2}, 0xA7D3}, {{0xA7D4, 0xA7D4}, 0xA7D5},
    {{0xA7DA, 0xA7DA}, 0xA7DB},    {{0xA7DC, 0xA7DC}, 0x19B},  {{0x10D50, 0x10D65}, 0x10D70},
    {{0x16EA0, 0x16EB8}, 0x16EBB},
};

char32_t to_lower(char32_t c) {
  if (c >= kNewCapitals[0].capitals.first) {
    for (const auto& [capitals, first_small] : kNewCapitals) {
      if (c >= capitals.first && c <= capitals.last) return first_small + (c - capitals.first);
    }
  }
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

}  // namespace

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_char(text, i);
    if (c == 0x130) {  // the one character whose lower case is two (Unicode, SpecialCasing.txt)
      out += "i\xCC\x87";
    } else {
      append_utf8(out, to_lower(c));
    }
  }
  return out;
}

}  // namespace sensorium::text
