#include "text/template/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "text/unicode.h"

namespace sensorium::text::jinja {

Text::Text(std::string_view bytes, Origin origin) {
  if (is_valid_utf8(bytes)) {
    append(bytes, origin);
  } else {
    append(repair_utf8(bytes), origin);
  }
}

void Text::mark_user(size_t begin, size_t end) {
  if (begin == end) return;
  if (!user_.empty() && user_.back().end == begin) {
    user_.back().end = end;
  } else {
    user_.push_back({begin, end});
  }
}

void Text::append(std::string_view bytes, Origin origin) {
  const size_t begin = bytes_.size();
  bytes_ += bytes;
  if (origin == Origin::user) mark_user(begin, bytes_.size());
}

void Text::append_part(const Text& other, size_t begin, size_t end) {
  const size_t shift = bytes_.size();
  auto span = std::lower_bound(other.user_.begin(), other.user_.end(), begin,
                               [](const Span& known, size_t at) { return known.end <= at; });
  for (; span != other.user_.end() && span->begin < end; ++span) {
    mark_user(shift + std::max(span->begin, begin) - begin, shift + std::min(span->end, end) - begin);
  }
  bytes_.append(other.bytes_, begin, end - begin);
}

void Text::append_changed(std::string_view bytes, const Text& other, size_t begin, size_t end) {
  const auto span = std::lower_bound(other.user_.begin(), other.user_.end(), begin,
                                     [](const Span& known, size_t at) { return known.end <= at; });
  append(bytes, span != other.user_.end() && span->begin < end ? Origin::user : Origin::program);
}

Text Text::part(size_t begin, size_t end) const {
  Text out;
  out.append_part(*this, begin, end);
  return out;
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

size_t byte_of_character(std::string_view text, size_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) next_char(text, at);
  return at;
}

namespace {

template <typename Predicate>
Text strip_if(const Text& text, Side side, Predicate drop) {
  const std::string& bytes = text.bytes();
  size_t begin = 0, end = bytes.size();
  while (side != Side::right && begin < end) {
    size_t next = begin;
    if (!drop(next_char(bytes, next))) break;
    begin = next;
  }
  while (side != Side::left && end > begin) {
    const size_t last = previous_char(bytes, end);
    size_t next = last;
    if (!drop(next_char(bytes, next))) break;
    end = last;
  }
  return text.part(begin, end);
}

}  // namespace

Text strip(const Text& text, Side side) { return strip_if(text, side, is_python_space); }

Text strip(const Text& text, Side side, std::string_view set) {
  std::u32string characters;
  for (size_t i = 0; i < set.size();) characters += next_char(set, i);
  return strip_if(text, side, [&](char32_t c) { return characters.find(c) != std::u32string::npos; });
}

Text replace(const Text& text, const Text& from, const Text& to, size_t most) {
  const std::string& bytes = text.bytes();
  Text out;
  size_t copied = 0;
  if (from.empty()) {
    for (size_t at = 0; most > 0; --most) {
      out.append_part(text, copied, at);
      copied = at;
      out.append(to);
      if (at == bytes.size()) break;
      next_char(bytes, at);
    }
  } else {
    for (size_t at = bytes.find(from.bytes()); at != std::string::npos && most > 0; --most) {
      out.append_part(text, copied, at);
      out.append(to);
      copied = at + from.size();
      at = bytes.find(from.bytes(), copied);
    }
  }
  out.append_part(text, copied, bytes.size());
  return out;
}

std::vector<Text> split(const Text& text, const Text& separator, size_t most) {
  std::vector<Text> parts;
  size_t begin = 0;
  for (size_t at = text.bytes().find(separator.bytes()); at != std::string::npos && parts.size() < most;) {
    parts.push_back(text.part(begin, at));
    begin = at + separator.size();
    at = text.bytes().find(separator.bytes(), begin);
  }
  parts.push_back(text.part(begin));
  return parts;
}

std::vector<Text> split_from_right(const Text& text, const Text& separator, size_t most) {
  std::vector<Text> parts;
  size_t end = text.size();
  while (parts.size() < most && end >= separator.size()) {
    const size_t at = text.bytes().rfind(separator.bytes(), end - separator.size());
    if (at == std::string::npos) break;
    parts.push_back(text.part(at + separator.size(), end));
    end = at;
  }
  parts.push_back(text.part(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_at_space(const Text& text, size_t most) {
  const std::string& bytes = text.bytes();
  std::vector<Text> parts;
  size_t i = 0;
  while (true) {
    size_t begin = i;
    while (i < bytes.size() && is_python_space(next_char(bytes, i))) begin = i;
    if (begin == bytes.size()) return parts;
    if (parts.size() == most) {
      parts.push_back(text.part(begin));
      return parts;
    }
    size_t end = i = begin;
    while (i < bytes.size() && !is_python_space(next_char(bytes, i))) end = i;
    parts.push_back(text.part(begin, end));
    i = end;
  }
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  const std::string& bytes = text.bytes();
  std::vector<Text> lines;
  size_t begin = 0;
  for (size_t i = 0; i < bytes.size();) {
    const size_t at = i;
    const char32_t c = next_char(bytes, i);
    const bool ends = (c >= 0xA && c <= 0xD) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!ends) continue;
    if (c == '\r' && i < bytes.size() && bytes[i] == '\n') ++i;
    lines.push_back(text.part(begin, keep_ends ? i : at));
    begin = i;
  }
  if (begin < bytes.size()) lines.push_back(text.part(begin));
  return lines;
}

Text join(const std::vector<Text>& parts, const Text& separator) {
  Text out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out.append(separator);
    out.append(parts[i]);
  }
  return out;
}

Text change_case(const Text& text, Case to) {
  const std::string& bytes = text.bytes();
  Text out;
  bool at_start = true;
  for (size_t i = 0; i < bytes.size();) {
    const size_t begin = i;
    const char32_t c = next_char(bytes, i);
    const auto code = static_cast<utf8proc_int32_t>(c);
    bool upper = to == Case::upper;
    if (to != Case::upper && to != Case::lower) upper = at_start;
    const auto mapped =
        upper ? (to == Case::upper ? utf8proc_toupper(code) : utf8proc_totitle(code)) : utf8proc_tolower(code);
    std::string changed;
    if (upper && c == 0xDF) {
      changed = to == Case::upper ? "SS" : "Ss";
    } else {
      append_utf8(changed, static_cast<char32_t>(mapped));
    }
    out.append_changed(changed, text, begin, i);
    if (to == Case::capital) at_start = false;
    if (to == Case::title) {
      at_start = utf8proc_toupper(code) == code && utf8proc_tolower(code) == code && c != 0xDF;
    }
    if (to == Case::title_words) {
      at_start = is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    }
  }
  return out;
}

}  // namespace sensorium::text::jinja
