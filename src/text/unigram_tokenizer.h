// The tokenizer of a tokenizer.json whose model is Unigram (T5, XLM-R, SigLIP).
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "text/pipeline_tokenizer.h"
#include "text/unigram_model.h"

namespace sensorium::text {

struct UnigramParts {
  Vocab vocab;
  std::vector<double> scores;  // by id
  UnigramOptions options;
  PipelineParts pipeline;
};

class UnigramTokenizer : public PipelineTokenizer {
 public:
  // Throws Error: unsupported (names the component), invalid_data.
  explicit UnigramTokenizer(UnigramParts parts);

 protected:
  const Vocab& vocab() const override { return model_.vocab(); }
  void encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const override;

 private:
  UnigramModel model_;
};

}  // namespace sensorium::text
