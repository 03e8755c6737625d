// Writes SentencePiece models of a test's own making.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

namespace sensorium::text {

struct SentencePieceWriter {
  bool bpe = false;
  std::string trainer, normalizer;  // more fields of these messages

  // Types: 1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte. Without a score: the earlier, the better.
  void add(std::string_view text, int type) { add(text, type, -static_cast<float>(count_)); }
  void add(std::string_view text, int type, float score) {
    ++count_;
    std::string piece = field(1, text) + '\x15';
    piece.append(4, '\0');
    std::memcpy(piece.data() + piece.size() - 4, &score, 4);
    piece += {'\x18', static_cast<char>(type)};
    pieces_ += field(1, piece);
  }

  std::string bytes() const {
    const std::string settings = bpe ? std::string("\x18\x02") : std::string("\x18\x01");
    // No white space is removed, as in Llama's model.
    return pieces_ + field(2, settings + trainer) + field(3, std::string("\x20\x00", 2) + normalizer);
  }

 private:
  static std::string field(int number, std::string_view bytes) {
    std::string out(1, static_cast<char>(number << 3 | 2));
    size_t size = bytes.size();
    for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
    out += static_cast<char>(size);
    return out.append(bytes);
  }

  std::string pieces_;
  int count_ = 0;
};

}  // namespace sensorium::text
