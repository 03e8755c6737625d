// Tokenizers: text to token ids and back. What every tokenizer offers, whatever file it came from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "text/span.h"

namespace sensorium::text {

// What the names of control tokens ("<|im_end|>", "</s>") in the text mean.
enum class Specials {
  as_text,  // ordinary characters: what a user typed never becomes a control token
  parse,    // the control token: for prompts that the program itself wrote
};

// Whether the tokens that the model wants around a text (BOS, EOS, [CLS]) are added.
enum class Affixes { none, model };

struct EncodeOptions {
  Specials specials = Specials::as_text;
  Affixes affixes = Affixes::none;
  // With Specials::parse: the bytes of the text that a user wrote, sorted and disjoint. No control token is found that
  // touches them. (What a chat template renders comes with these.)
  std::span<const Span> user = {};
};

enum class DecodeSpecials { skip, show };

// A token that the file declares beside the model's vocabulary (Hugging Face: "added token").
struct SpecialToken {
  int32_t id = 0;
  std::string text;
  bool control = true;  // false: a word that was added to the vocabulary, matched in user text too
};

// Spaces that are dropped where a decoded text begins, because the encoder had put them there (SentencePiece).
struct LeadingSpaces {
  enum class Scope { text, first_token };
  int count = 0;
  Scope scope = Scope::text;
};

// Immutable; all methods may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text`, any bytes: each invalid UTF-8 sequence is read as U+FFFD. Long texts may be split over the
  // thread pool; the ids do not depend on the number of threads. Throws Error(limit) if a pattern from the tokenizer's
  // file needs more matching steps than allowed, or the text is too long.
  virtual std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const = 0;

  // Valid UTF-8; ids outside the vocabulary are passed over.
  virtual std::string decode(std::span<const int32_t> ids, DecodeSpecials specials = DecodeSpecials::skip) const = 0;

  // The bytes that the token adds to a text, possibly a part of a UTF-8 character; "" for an id that is none. Valid as
  // long as the tokenizer.
  virtual std::string_view token_bytes(int32_t id) const = 0;
  virtual LeadingSpaces leading_spaces() const = 0;

  // One past the greatest id: the rows that an embedding table needs.
  virtual int32_t vocab_size() const = 0;
  // By the token's text in the tokenizer's file ("<s>", "Ġthe").
  virtual std::optional<int32_t> token_id(std::string_view token) const = 0;
  virtual const std::vector<SpecialToken>& special_tokens() const = 0;
  virtual bool is_control(int32_t id) const = 0;
};

// The ids that encoding with Affixes::model puts before those of a text: BOS, for most.
std::vector<int32_t> leading_ids(const Tokenizer& tokenizer);
// Puts them before the ids of a prompt, unless it begins with them: a chat template may have written BOS itself.
void prepend_leading_ids(const Tokenizer& tokenizer, std::vector<int32_t>& ids);
// Bytes at the beginning of a prompt that write these tokens themselves: 0 unless all are there.
size_t leading_length(const Tokenizer& tokenizer, std::string_view prompt);

// A text that is valid UTF-8, and where in it the parts are that a user wrote: what encode() works on.
struct CleanText {
  CleanText(std::string_view bytes, std::span<const Span> user);
  CleanText(const CleanText&) = delete;
  CleanText& operator=(const CleanText&) = delete;

  std::string_view text;  // of the caller, or repaired
  std::span<const Span> user;

 private:
  std::string repaired_;
  std::vector<Span> moved_;
};

// Decodes one token at a time: what push() returns always ends on a character boundary.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeSpecials specials = DecodeSpecials::skip);

  // The text that is certain after this token, maybe "".
  std::string push(int32_t id);
  // What is left at the end; an unfinished character becomes U+FFFD.
  std::string finish() { return utf8_.finish(); }

 private:
  const Tokenizer& tokenizer_;
  DecodeSpecials specials_;
  Utf8Stream utf8_;
  LeadingSpaces leading_;
};

}  // namespace sensorium::text
