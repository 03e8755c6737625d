// Tokens that are found in the text before the model sees it: control tokens, and words added to a vocabulary.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/normalizer.h"
#include "text/tokenizer.h"

namespace sensorium::text {

// The fields of Hugging Face's "added_tokens".
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool normalized = false;   // is looked for in the normalized text, in its own normalized form
  bool special = false;      // a control token
};

// A part of the text: an added token, or (id < 0) ordinary text.
struct Segment {
  std::string_view text;
  int32_t id = -1;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  // What decoding shows for the token; nullptr if `id` is not an added token.
  const std::string* shown_form(int32_t id) const;

  // Cuts a text, before and after its normalization, at the tokens that are looked for there. `user`: see EncodeOptions.
  std::vector<Segment> split_raw(std::string_view text, Specials specials, std::span<const Span> user = {}) const {
    return split(raw_, text, specials, user);
  }
  std::vector<Segment> split_normalized(std::string_view text, Specials specials) const {
    return split(normalized_, text, specials, {});
  }
  bool any_normalized() const { return !normalized_.empty(); }

 private:
  // A trie over bytes; node 0 is the root.
  class Matcher {
   public:
    void add(std::string_view pattern, int32_t token);
    bool empty() const { return nodes_.size() <= 1; }
    // The longest pattern at the start of `text`: its token and length; token -1 if there is none.
    std::pair<int32_t, size_t> longest(std::string_view text) const;
    // The first position at or after `at` where a pattern may start; text.size() if there is none.
    size_t next_start(std::string_view text, size_t at) const;

   private:
    struct Node {
      int32_t token = -1;
      std::vector<std::pair<char, int32_t>> children;
    };
    std::vector<Node> nodes_ = std::vector<Node>(1);
    std::array<bool, 256> starts_{};
    std::string start_bytes_;
  };

  std::vector<Segment> split(const Matcher& matcher, std::string_view text, Specials specials,
                             std::span<const Span> user) const;

  std::vector<AddedToken> tokens_;
  std::vector<std::string> shown_;             // by place in tokens_
  std::unordered_map<int32_t, size_t> by_id_;  // places in tokens_
  Matcher raw_, normalized_;
};

}  // namespace sensorium::text
