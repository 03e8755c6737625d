// The tokenizer of a tokenizer.json whose model is BPE.
#pragma once

#include <string_view>
#include <vector>

#include "text/bpe_model.h"
#include "text/pipeline_tokenizer.h"

namespace sensorium::text {

struct BpeParts {
  Vocab vocab;
  std::vector<MergeRule> merges;
  BpeOptions options;
  PipelineParts pipeline;
};

class BpeTokenizer : public PipelineTokenizer {
 public:
  // Throws Error: unsupported (names the component), invalid_data.
  explicit BpeTokenizer(BpeParts parts);

  const BpeModel& model() const { return model_; }

 protected:
  const Vocab& vocab() const override { return model_.vocab(); }
  void encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const override;

 private:
  void encode_by_rule(std::string_view text, std::vector<int32_t>& ids) const;
  void encode_words(const std::vector<Word>& words, std::vector<int32_t>& ids) const;

  BpeModel model_;
  bool may_cut_at_marks_ = false;  // a text that is left whole may be cut before each U+2581
  mutable WordCachePool caches_;
};

}  // namespace sensorium::text
