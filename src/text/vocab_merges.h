// The older pair of files for byte-level BPE: vocab.json and merges.txt, as published for GPT-2, CLIP and Qwen2.
// What they do not say (normalizer, pre-tokenizer, affixes) follows from "tokenizer_class" in tokenizer_config.json, as
// in the converters of transformers 4.57.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/tokenizer_config.h"

namespace sensorium::text {

// Without a class in the configuration: CLIP if the vocabulary marks ends of words by "</w>", else GPT-2.
// Errors: invalid_data, unsupported (names the class), limit.
Result<std::unique_ptr<BpeTokenizer>> parse_vocab_merges(std::string_view vocab_json, std::string_view merges_txt,
                                                         const TokenizerConfig& config);
// A vocab.json with merges.txt and the configuration beside it; also not_found and io.
Result<std::unique_ptr<Tokenizer>> read_vocab_merges(const std::filesystem::path& vocab_path);

}  // namespace sensorium::text
