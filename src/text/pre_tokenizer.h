// Pre-tokenizers of tokenizer.json: text to words, which the model then encodes one by one.
// Supported: ByteLevel, Split, Digits, Whitespace, WhitespaceSplit, Punctuation, Metaspace, Sequence.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/bpe_model.h"
#include "text/word_split.h"

namespace sensorium::text {

struct Word {
  std::string_view text;
  bool at_start = false;  // it begins where the text that was given to the tokenizer begins
};

// Words, and the memory of those that are not a part of the text itself.
struct WordList {
  std::vector<Word> words;
  std::deque<std::string> storage;

  std::string_view keep(std::string text) { return storage.emplace_back(std::move(text)); }
};

class SplitStep {
 public:
  virtual ~SplitStep() = default;
  // Appends the parts of `word`, none empty, to `out.words`.
  virtual void apply(const Word& word, WordList& out) const = 0;
};

class PreTokenizer {
 public:
  PreTokenizer() = default;  // leaves the text whole
  // Throws Error: unsupported (names the type), invalid_data.
  explicit PreTokenizer(const Json& json);

  // What the words are made of: raw bytes if the last step is ByteLevel, whose stand-ins for bytes are left to the
  // model.
  Alphabet alphabet() const { return alphabet_; }
  bool leaves_whole() const { return steps_.empty(); }

  // The words of a text that is valid UTF-8. They refer to `text` and to `storage` of the result.
  WordList split(std::string_view text, bool at_start) const;

  // Set if a hand-written rule does the same as split() does, but for the prefix.
  std::optional<SplitRule> rule() const { return rule_; }
  // With rule(): a space is put before a text that does not start with one.
  bool adds_prefix_space() const { return adds_prefix_space_; }

 private:
  std::vector<std::unique_ptr<SplitStep>> steps_;
  Alphabet alphabet_ = Alphabet::utf8;
  std::optional<SplitRule> rule_;
  bool adds_prefix_space_ = false;
};

}  // namespace sensorium::text
