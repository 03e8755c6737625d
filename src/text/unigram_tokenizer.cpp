#include "text/unigram_tokenizer.h"

#include "base/error.h"

namespace sensorium::text {

UnigramTokenizer::UnigramTokenizer(UnigramParts parts)
    : PipelineTokenizer(std::move(parts.pipeline)),
      model_(std::move(parts.vocab), std::move(parts.scores), parts.options, control_ids()) {
  require(pre_tokenizer().alphabet() == Alphabet::utf8, ErrorKind::unsupported,
          "a Unigram model over bytes (pre_tokenizer \"ByteLevel\") is not supported");
  list_tokens();
}

void UnigramTokenizer::encode_segment(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
  for (const Word& word : pre_tokenizer().split(text, at_start).words) model_.encode(word.text, ids);
}

}  // namespace sensorium::text
