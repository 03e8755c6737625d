// What Hugging Face's files beside a vocabulary say of it: tokenizer_config.json, special_tokens_map.json and
// added_tokens.json. Reference behaviour: PreTrainedTokenizer of transformers 4.57.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"

namespace sensorium::text {

struct TokenizerConfig {
  std::string tokenizer_class;  // without "Fast"; "" if no file says it
  std::optional<bool> add_bos_token, add_eos_token, add_prefix_space, do_lower_case, legacy;
  int64_t extra_ids = 0;                      // T5: tokens <extra_id_0> ... behind the vocabulary
  std::map<std::string, std::string> tokens;  // "bos_token" -> "<s>"; only those that are set
  std::vector<AddedToken> added;              // id -1: it follows from the vocabulary
  std::vector<std::string> named;             // the tokens that have a role, "additional_special_tokens" among them

  // The token of a role, or the fallback.
  std::string token(const std::string& role, const std::string& fallback) const;
};

// From the folder of a model; files that are not there count as empty. Throws Error: invalid_data, io, limit.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

// All tokens that the files add to a vocabulary, each once: those with ids, then the control tokens of the roles, then
// <extra_id_N>. A token that `find` knows has that id; one without an id gets the next after `size`. Throws
// Error(invalid_data) if two tokens have one id.
std::vector<AddedToken> resolve_added_tokens(const TokenizerConfig& config, int32_t size,
                                             const std::function<std::optional<int32_t>(std::string_view)>& find);

}  // namespace sensorium::text
