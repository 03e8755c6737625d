// Normalizers of tokenizer.json: text to text, before it is split.
// Supported: NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip, Precompiled, Sequence.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"

namespace sensorium::text {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual std::string apply(std::string_view text) const = 0;
};

// Throws Error: unsupported (names the type), invalid_data.
std::unique_ptr<Normalizer> parse_normalizer(const Json& json, int depth = 0);

}  // namespace sensorium::text
