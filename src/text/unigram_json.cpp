// A tokenizer.json whose model is "Unigram".
#include <cmath>
#include <utility>

#include "base/error.h"
#include "text/component.h"
#include "text/pipeline_json.h"
#include "text/unigram_tokenizer.h"

namespace sensorium::text {
namespace {

// [["<unk>", 0.0], ["the", -3.2], ...]: by id.
void parse_pieces(const Json& pieces, UnigramParts& parts) {
  require(!pieces.empty() && pieces.size() <= static_cast<size_t>(kMaxTokenId) + 1, ErrorKind::invalid_data,
          "model: a vocabulary of {} pieces", pieces.size());
  parts.vocab.reserve(pieces.size(), pieces.size() * 8);
  for (const Json& piece : pieces) {
    const size_t id = parts.scores.size();
    require(piece.is_array() && piece.size() == 2 && piece[0].is_string() && piece[1].is_number(),
            ErrorKind::invalid_data, "model: piece {} is not [text, score]", id);
    const auto& text = piece[0].get_ref<const std::string&>();
    const auto score = piece[1].get<double>();
    require(text.size() <= kMaxTokenBytes, ErrorKind::limit, "model: a piece of {} bytes, at most {} are allowed",
            text.size(), kMaxTokenBytes);
    require(std::isfinite(score), ErrorKind::invalid_data, "model: the score of piece {} is {}", id, score);
    require(parts.vocab.add(text, static_cast<int32_t>(id)), ErrorKind::invalid_data,
            "model: piece {} '{}' stands twice", id, text);
    parts.scores.push_back(score);
  }
}

}  // namespace

std::unique_ptr<Tokenizer> make_unigram_tokenizer(const Json& json) {
  const Json& model = model_of(json);
  UnigramParts parts;
  parse_pieces(get_array(model, "vocab"), parts);
  if (find_member(model, "unk_id") != nullptr) {
    parts.options.unk_id = static_cast<int32_t>(get_count(model, "unk_id", 0, kMaxTokenId));
  }
  parts.options.byte_fallback = get_flag(model, "byte_fallback", false);
  parts.pipeline = parse_pipeline(json, parts.vocab);
  return std::make_unique<UnigramTokenizer>(std::move(parts));
}

}  // namespace sensorium::text
