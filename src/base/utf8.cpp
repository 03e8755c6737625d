#include "base/utf8.h"

#include <utility>

namespace sensorium {
namespace {

// What the bytes at the front of `text` are: a character, the unfinished start of one, or garbage of some length.
struct Piece {
  int length;  // of the character, of the unfinished start, or of the maximal invalid subpart
  bool valid;
  bool unfinished;
  char32_t code_point;
};

Piece next_piece(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, true, false, first};
  if (first < 0xC2 || first > 0xF4) return {1, false, false, 0};
  const int length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and values past U+10FFFF (Unicode, table 3-7).
  unsigned low = 0x80, high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  char32_t code_point = first & (0xFFu >> (length + 1));
  for (int i = 1; i < length; ++i) {
    if (static_cast<size_t>(i) >= text.size()) return {i, false, true, 0};
    const unsigned next = byte(static_cast<size_t>(i));
    if (next < low || next > high) return {i, false, false, 0};
    code_point = (code_point << 6) | (next & 0x3F);
    low = 0x80, high = 0xBF;
  }
  return {length, true, false, code_point};
}

}  // namespace

int decode_utf8(std::string_view text, char32_t& code_point) {
  if (text.empty()) return 0;
  const Piece piece = next_piece(text);
  code_point = piece.code_point;
  return piece.valid ? piece.length : 0;
}

size_t find_invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Piece piece = next_piece(text.substr(i));
    if (!piece.valid) return i;
    i += static_cast<size_t>(piece.length);
  }
  return std::string_view::npos;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Piece piece = next_piece(text.substr(i));
    out += piece.valid ? text.substr(i, static_cast<size_t>(piece.length)) : std::string_view("\xEF\xBF\xBD");
    i += static_cast<size_t>(piece.length);
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  size_t end = 0;
  while (end < pending_.size()) {
    const Piece piece = next_piece(std::string_view(pending_).substr(end));
    if (piece.unfinished) break;
    end += static_cast<size_t>(piece.length);
  }
  std::string ready = repair_utf8(std::string_view(pending_).substr(0, end));
  pending_.erase(0, end);
  return ready;
}

std::string Utf8Stream::finish() { return repair_utf8(std::exchange(pending_, {})); }

}  // namespace sensorium
