#include "text/sentencepiece_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "text/character_map.h"
#include "text/unicode.h"

namespace sensorium::text {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 22;
constexpr size_t kMaxPieceBytes = 1 << 12;

// One field of a message: varints and fixed numbers in `number`, everything with a length in `bytes`.
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
  std::string_view whole;  // with its key
};

// Reads a protocol buffer message field by field.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    const std::string_view begin = rest_;
    Field field;
    const uint64_t key = varint();
    require(key >> 3 != 0 && key >> 3 <= 0x1FFFFFFF, ErrorKind::invalid_data, "a field with the number {}", key >> 3);
    field.number = static_cast<uint32_t>(key >> 3);
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed<uint64_t>();
        break;
      case 2: {
        const uint64_t size = varint();
        require(size <= rest_.size(), ErrorKind::invalid_data, "a field of {} bytes where {} are left", size,
                rest_.size());
        field.bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        break;
      }
      case 5:
        field.value = fixed<uint32_t>();
        break;
      default:
        fail(ErrorKind::invalid_data, "a field of wire type {}", key & 7);
    }
    field.whole = begin.substr(0, begin.size() - rest_.size());
    return field;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      require(!rest_.empty(), ErrorKind::invalid_data, "the file ends in a number");
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail(ErrorKind::invalid_data, "a number of more than 10 bytes");
  }

  template <typename T>
  T fixed() {
    T value;
    require(rest_.size() >= sizeof value, ErrorKind::invalid_data, "the file ends in a number");
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::string_view rest_;
};

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

SentencePieceModel::Piece parse_piece(std::string_view bytes, size_t id) {
  SentencePieceModel::Piece piece;
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 1) piece.text = field->bytes;
    if (field->number == 2) {
      const auto bits = static_cast<uint32_t>(field->value);
      std::memcpy(&piece.score, &bits, sizeof piece.score);
      require(std::isfinite(piece.score), ErrorKind::invalid_data, "piece {}: its score is {}", id, piece.score);
    }
    if (field->number == 3) {
      require(field->value >= 1 && field->value <= 6, ErrorKind::invalid_data, "piece {}: unknown type {}", id,
              field->value);
      piece.type = static_cast<SentencePieceModel::PieceType>(field->value);
    }
  }
  require(!piece.text.empty() && piece.text.size() <= kMaxPieceBytes, ErrorKind::invalid_data, "piece {}: {} bytes", id,
          piece.text.size());
  require(is_valid_utf8(piece.text) && piece.text.find('\0') == std::string::npos, ErrorKind::invalid_data,
          "piece {}: not valid text", id);
  return piece;
}

void parse_trainer(std::string_view bytes, SentencePieceModel& model) {
  Message message(bytes);
  while (const auto field = message.next()) {
    switch (field->number) {
      case 3:
        require(field->value == 1 || field->value == 2, ErrorKind::unsupported,
                "a SentencePiece model of type {}: only unigram (1) and BPE (2) are supported", field->value);
        model.type = static_cast<SentencePieceModel::Type>(field->value);
        break;
      case 24:
        require(field->value == 0, ErrorKind::unsupported, "a SentencePiece model with spaces as suffixes");
        break;
      case 35:
        model.byte_fallback = field->value != 0;
        break;
      case 45:
        model.unk_piece = field->bytes;
        break;
      case 46:
        model.bos_piece = field->bytes;
        break;
      case 47:
        model.eos_piece = field->bytes;
        break;
      case 48:
        model.pad_piece = field->bytes;
        break;
      default:
        break;
    }
  }
}

void parse_normalizer(std::string_view bytes, SentencePieceModel& model) {
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 2) {
      model.normalizes = !field->bytes.empty();
      if (model.normalizes) CharacterMap::check(field->bytes);
    }
    if (field->number == 3) model.add_dummy_prefix = field->value != 0;
    if (field->number == 4) model.remove_extra_whitespaces = field->value != 0;
  }
}

void check_denormalizer(std::string_view bytes) {
  Message message(bytes);
  while (const auto field = message.next()) {
    require(field->number != 2 || field->bytes.empty(), ErrorKind::unsupported,
            "a SentencePiece model with a denormalizer");
  }
}

void check_pieces(const SentencePieceModel& model) {
  std::unordered_set<std::string_view> seen;
  int unknowns = 0;
  std::array<bool, 256> bytes{};
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    require(seen.insert(piece.text).second, ErrorKind::invalid_data, "piece {}: '{}' stands twice", id, piece.text);
    unknowns += piece.type == SentencePieceModel::PieceType::unknown;
    if (piece.type != SentencePieceModel::PieceType::byte) continue;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (piece.text == fmt::format("<0x{:02X}>", byte)) bytes[byte] = true;
    }
  }
  require(unknowns == 1, ErrorKind::invalid_data, "{} pieces for unknown characters, 1 is expected", unknowns);
  require(!model.byte_fallback || std::all_of(bytes.begin(), bytes.end(), [](bool has) { return has; }),
          ErrorKind::invalid_data, "byte_fallback is on, but not every byte has a piece");
}

SentencePieceModel parse(std::string_view bytes) {
  SentencePieceModel model;
  Message message(bytes);
  while (const auto field = message.next()) {
    switch (field->number) {
      case 1:
        require(model.pieces.size() < kMaxPieces, ErrorKind::limit, "more than {} pieces", kMaxPieces);
        model.pieces.push_back(parse_piece(field->bytes, model.pieces.size()));
        break;
      case 2:
        parse_trainer(field->bytes, model);
        break;
      case 3:
        parse_normalizer(field->bytes, model);
        break;
      case 5:
        check_denormalizer(field->bytes);
        break;
      default:
        break;
    }
  }
  require(!model.pieces.empty(), ErrorKind::invalid_data, "not a SentencePiece model: no pieces");
  check_pieces(model);
  return model;
}

}  // namespace

Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes) {
  try {
    return parse(bytes);
  } catch (const Error& error) {
    return error;
  }
}

std::string with_hidden_pieces(std::string_view bytes, std::span<const int32_t> ids) {
  if (ids.empty()) return std::string(bytes);
  std::string out;
  int32_t next = 0;
  Message message(bytes);
  while (const auto field = message.next()) {
    const int32_t id = field->number == 1 ? next++ : -1;
    if (id < 0 || std::find(ids.begin(), ids.end(), id) == ids.end()) {
      out += field->whole;
      continue;
    }
    const std::string name = fmt::format("\xF4\x8F\xBF\xBE{}", id);
    std::string piece = "\x0A";
    append_varint(piece, name.size());
    piece += name + "\x18\x03";  // field 3 (type): control
    out += '\x0A';
    append_varint(out, piece.size());
    out += piece;
  }
  return out;
}

// Messages of one field that stand twice are merged: so this changes one member of the normalizer.
std::string without_dummy_prefix(std::string_view bytes) { return std::string(bytes) + "\x1A\x02\x18" + '\0'; }

}  // namespace sensorium::text
