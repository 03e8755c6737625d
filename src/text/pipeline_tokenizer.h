// What all tokenizers of a tokenizer.json have in common: added tokens, normalizer, pre-tokenizer, post-processor and decoder
// around a model of words.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

namespace sensorium::text {

// The components are as in the file, null where it has none.
struct PipelineParts {
  std::vector<AddedToken> added;
  Json normalizer, pre_tokenizer, post_processor, decoder;
};

class PipelineTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const override;
  std::string decode(std::span<const int32_t> ids, DecodeSpecials specials = DecodeSpecials::skip) const override;
  std::string_view token_bytes(int32_t id) const override;
  LeadingSpaces leading_spaces() const override { return decoder_.leading_spaces(); }
  int32_t vocab_size() const override { return static_cast<int32_t>(bytes_.size()); }
  std::optional<int32_t> token_id(std::string_view token) const override;
  const std::vector<SpecialToken>& special_tokens() const override { return special_tokens_; }
  bool is_control(int32_t id) const override;

  const std::vector<AddedToken>& added_tokens() const { return added_.tokens(); }
  // The components as the file has them: normalizer, pre_tokenizer, post_processor, decoder.
  const OrderedJson& components() const { return components_; }

 protected:
  // Throws Error: unsupported (names the component), invalid_data.
  explicit PipelineTokenizer(PipelineParts parts);
  // What a derived class calls once its model stands. Throws Error(invalid_data).
  void list_tokens();

  // The strings of the model.
  virtual const Vocab& vocab() const = 0;
  // Appends the ids of a normalized text without added tokens. `at_start`: the tokenizer's text begins with it.
  virtual void encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const = 0;

  const PreTokenizer& pre_tokenizer() const { return pre_tokenizer_; }
  // Of the control tokens among the added ones: what text must not spell.
  std::vector<int32_t> control_ids() const;

 private:
  std::string_view token_text(int32_t id) const;

  OrderedJson components_;
  std::unique_ptr<Normalizer> normalizer_;
  AddedTokens added_;
  PreTokenizer pre_tokenizer_;
  AffixIds affixes_;
  Decoder decoder_;
  std::vector<SpecialToken> special_tokens_;
  std::vector<std::string> bytes_;  // by id
  std::vector<bool> is_control_;    // by id
};

}  // namespace sensorium::text
