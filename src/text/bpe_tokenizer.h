// The tokenizer of a tokenizer.json whose model is BPE: added tokens, normalizer, pre-tokenizer, model, post-processor
// and decoder in a row.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace sensorium::text {

// What a tokenizer is made of. The components are as in the file, null where it has none.
struct BpeParts {
  Vocab vocab;
  std::vector<MergeRule> merges;
  BpeOptions options;
  std::vector<AddedToken> added;
  Json normalizer, pre_tokenizer, post_processor, decoder;
};

class BpeTokenizer : public Tokenizer {
 public:
  // Throws Error: unsupported (names the component), invalid_data.
  explicit BpeTokenizer(BpeParts parts);

  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const override;
  std::string decode(std::span<const int32_t> ids, DecodeSpecials specials = DecodeSpecials::skip) const override;
  std::string_view token_bytes(int32_t id) const override;
  LeadingSpaces leading_spaces() const override { return decoder_.leading_spaces(); }
  int32_t vocab_size() const override { return static_cast<int32_t>(bytes_.size()); }
  std::optional<int32_t> token_id(std::string_view token) const override;
  const std::vector<SpecialToken>& special_tokens() const override { return special_tokens_; }
  bool is_control(int32_t id) const override;

  const BpeModel& model() const { return model_; }
  const std::vector<AddedToken>& added_tokens() const { return added_.tokens(); }
  // The components as the file has them: normalizer, pre_tokenizer, post_processor, decoder.
  const OrderedJson& components() const { return components_; }

 private:
  void encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;
  void encode_by_rule(std::string_view text, std::vector<int32_t>& ids) const;
  void encode_words(const std::vector<Word>& words, std::vector<int32_t>& ids) const;
  std::string_view token_text(int32_t id) const;

  OrderedJson components_;
  std::unique_ptr<Normalizer> normalizer_;
  AddedTokens added_;
  PreTokenizer pre_tokenizer_;
  BpeModel model_;
  AffixIds affixes_;
  Decoder decoder_;
  std::vector<SpecialToken> special_tokens_;
  std::vector<std::string> bytes_;  // by id
  std::vector<bool> is_control_;    // by id
  bool may_cut_at_marks_ = false;   // a text that is left whole may be cut before each U+2581
  mutable WordCachePool caches_;
};

}  // namespace sensorium::text
