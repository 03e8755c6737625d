// The SentencePiece model file ("tokenizer.model", "spiece.model"): a protocol buffer, read and checked here before the
// library sees it. Source: sentencepiece_model.proto of SentencePiece 0.1.97.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sensorium::text {

struct SentencePieceModel {
  enum class Type { unigram = 1, bpe = 2, word = 3, character = 4 };
  enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string text;
    PieceType type = PieceType::normal;
    float score = 0;  // of two merges, the one to the piece with the higher score comes first
  };

  std::vector<Piece> pieces;  // by id
  Type type = Type::unigram;
  bool byte_fallback = false;
  bool add_dummy_prefix = true;          // a space is put before every text
  bool remove_extra_whitespaces = true;  // spaces at the ends go, runs of them become one
  std::string unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";
  bool normalizes = false;  // has a table of characters that are replaced
};

// Errors: invalid_data, unsupported (word and character models, spaces as suffixes, denormalizers), limit. A model that
// is returned cannot make the library read outside its tables.
Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes);

// The bytes of a model that was parsed, with the pieces `ids` hidden from the text: of type control, and under names that
// no text has. (The library refuses a text whose characters a control piece spells.)
std::string with_hidden_pieces(std::string_view bytes, std::span<const int32_t> ids);
// The bytes of a model that was parsed, with add_dummy_prefix off.
std::string without_dummy_prefix(std::string_view bytes);

}  // namespace sensorium::text
