// Decoders of tokenizer.json: token strings back to text.
// Supported: ByteLevel, ByteFallback, Metaspace, BPEDecoder, Replace, Fuse, Strip, Sequence.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace sensorium::text {

class DecodeStep {
 public:
  virtual ~DecodeStep() = default;
  // All tokens of a text, as the reference does it.
  virtual void apply(std::vector<std::string>& tokens) const = 0;
  // One token in the middle of a text, as bytes: for streaming. After Fuse, nothing is left to do for a token.
  virtual void apply_middle(std::string& token) const = 0;
  virtual bool fuses() const { return false; }
  virtual LeadingSpaces leading_spaces() const { return {}; }
};

class Decoder {
 public:
  Decoder() = default;  // joins the tokens with spaces
  // Throws Error: unsupported (names the type), invalid_data.
  explicit Decoder(const Json& json);

  std::string decode(std::vector<std::string> tokens) const;
  // The bytes that the token adds to a text, but for what leading_spaces() says of its start.
  std::string token_bytes(std::string_view token) const;
  LeadingSpaces leading_spaces() const { return leading_spaces_; }
  // Whether decode() is the concatenation of token_bytes(), repaired.
  bool is_concatenation() const { return is_concatenation_; }

 private:
  std::vector<std::unique_ptr<DecodeStep>> steps_;
  LeadingSpaces leading_spaces_{1, LeadingSpaces::Scope::text};
  bool is_concatenation_ = false;
};

}  // namespace sensorium::text
