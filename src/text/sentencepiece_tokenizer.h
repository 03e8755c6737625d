// The tokenizer of a SentencePiece model, run by the library libsentencepiece.
// Reference behaviour: the Python package `sentencepiece` for plain text; LlamaTokenizer, CodeLlamaTokenizer,
// GemmaTokenizer, T5Tokenizer and SiglipTokenizer of transformers 4.57 for control tokens, prefixes and affixes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/added_tokens.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/vocab.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace sensorium::text {

class SentencePieceTokenizer : public Tokenizer {
 public:
  // Throws Error: invalid_data, unsupported (a tokenizer class that changes the ids of the model, or the text).
  SentencePieceTokenizer(SentencePieceModel model, std::string_view bytes, const TokenizerConfig& config);
  ~SentencePieceTokenizer() override;

  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const override;
  std::string decode(std::span<const int32_t> ids, DecodeSpecials specials = DecodeSpecials::skip) const override;
  std::string_view token_bytes(int32_t id) const override;
  LeadingSpaces leading_spaces() const override { return leading_spaces_; }
  int32_t vocab_size() const override { return static_cast<int32_t>(bytes_.size()); }
  std::optional<int32_t> token_id(std::string_view token) const override;
  const std::vector<SpecialToken>& special_tokens() const override { return special_tokens_; }
  bool is_control(int32_t id) const override;

 private:
  void list_tokens(const SentencePieceModel& model, const std::vector<AddedToken>& added);
  void encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;
  void append_pieces(std::string_view text, size_t skip, std::vector<int32_t>& ids) const;
  bool has_role(int32_t id) const;

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  AddedTokens added_;
  Vocab pieces_;
  std::vector<SpecialToken> special_tokens_;
  std::vector<std::string> bytes_;          // by id
  std::vector<bool> is_control_, is_byte_;  // by id
  std::vector<int32_t> role_ids_;           // of the control tokens that the configuration gives a role
  std::vector<int32_t> before_, after_;
  LeadingSpaces leading_spaces_;
  int32_t unk_id_ = 0;
  std::string unk_piece_;
  size_t unk_length_ = 0;  // pieces of unk_piece_ read as text
  bool eos_once_ = false;  // no </s> is put behind one
  bool legacy_ = true;     // every segment between control tokens gets the model's own prefix
  bool add_prefix_space_ = true;
  bool canonicalizes_ = false;  // SigLIP: segments lose punctuation
  bool lowers_case_ = false;
};

// Errors: invalid_data, unsupported, limit.
Result<std::unique_ptr<SentencePieceTokenizer>> parse_sentencepiece(std::string_view bytes,
                                                                    const TokenizerConfig& config = {});
// A model's file, with the configuration that lies beside it; also not_found and io.
Result<std::unique_ptr<Tokenizer>> read_sentencepiece(const std::filesystem::path& path);

}  // namespace sensorium::text
