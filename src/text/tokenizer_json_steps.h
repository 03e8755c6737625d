// Steps of a byte-level BPE as a tokenizer.json writes them: for tokenizers whose own files leave them out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace sensorium::text {

Json byte_level_step(bool add_prefix_space, bool use_regex);
// `invert`: the pattern finds what is kept rather than what stands between.
Json split_step(std::string_view pattern, std::string_view behavior, bool invert = false);
// `key`: "normalizers", "pretokenizers" or "decoders".
Json step_sequence(std::string_view key, Json steps);

struct AffixToken {
  std::string text;
  int32_t id = 0;
};
// The post-processor that puts tokens around a text.
Json affix_step(const std::optional<AffixToken>& before, const std::optional<AffixToken>& after);

}  // namespace sensorium::text
