// Training of byte-level BPE tokenizers.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe_tokenizer.h"
#include "text/word_split.h"

namespace sensorium::text {

struct TrainOptions {
  int32_t vocab_size = 8192;
  // Control tokens, which get the ids from 0 on.
  std::vector<std::string> special_tokens;
  // How a text is split into words: a regular expression in Oniguruma's syntax.
  std::string pattern = std::string(kLlama3Pattern);
  // A pair of tokens that is rarer than this is not merged.
  int64_t min_frequency = 2;
};

// Puts the next text into its argument; false at the end.
using TextSource = std::function<bool(std::string& text)>;

// The merges and ids are those of the reference (BpeTrainer of the Python package `tokenizers`, with the byte alphabet
// as initial alphabet): each step merges the most frequent pair, of equally frequent ones that with the smallest ids.
// They depend on the texts, not on their order nor on the number of threads. Invalid UTF-8 in a text is read as U+FFFD.
// The vocabulary is smaller than asked for if the texts have too few pairs.
// Throws Error: usage (vocab_size below 256 + special tokens, a special token twice), and what Regex throws.
std::unique_ptr<BpeTokenizer> train_bpe(const TextSource& texts, const TrainOptions& options);
std::unique_ptr<BpeTokenizer> train_bpe(std::span<const std::string> texts, const TrainOptions& options);

}  // namespace sensorium::text
