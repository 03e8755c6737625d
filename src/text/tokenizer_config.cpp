#include "text/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/file.h"
#include "text/component.h"
#include "text/vocab.h"

namespace sensorium::text {
namespace {

constexpr int64_t kMaxId = (1 << 22) - 1;
constexpr int64_t kMaxExtraIds = 10'000;
constexpr size_t kMaxAddedTokenBytes = 1 << 12;

// In the order in which the reference adds those that a vocabulary lacks.
constexpr std::array<const char*, 7> kRoles = {"bos_token", "eos_token", "unk_token", "sep_token",
                                               "pad_token", "cls_token", "mask_token"};

// CodeLlama's tokens around the parts of a text with a gap.
constexpr std::pair<const char*, const char*> kInfillRoles[] = {{"prefix_token", "\u2581<PRE>"},
                                                                {"middle_token", "\u2581<MID>"},
                                                                {"suffix_token", "\u2581<SUF>"},
                                                                {"eot_token", "\u2581<EOT>"}};

// A token is a string or {"content": ..., "lstrip": ...}.
AddedToken parse_token(const Json& json, bool special) {
  AddedToken token;
  token.special = special;
  if (json.is_string()) {
    token.content = json.get<std::string>();
  } else {
    token.content = get_string(json, "content");
    token.single_word = get_flag(json, "single_word", false);
    token.lstrip = get_flag(json, "lstrip", false);
    token.rstrip = get_flag(json, "rstrip", false);
    token.special = get_flag(json, "special", special);
  }
  require(token.content.size() <= kMaxAddedTokenBytes, ErrorKind::limit,
          "an added token of {} bytes, at most {} are allowed", token.content.size(), kMaxAddedTokenBytes);
  return token;
}

std::optional<bool> flag_of(const Json& json, std::string_view key) {
  if (find_member(json, key) == nullptr) return std::nullopt;
  return get_flag(json, key, false);
}

// What is put together from all files before it is sorted out.
struct Collected {
  TokenizerConfig config;
  std::vector<AddedToken> roles;  // id -1
};

void collect_roles(const Json& json, Collected& all) {
  for (const char* role : kRoles) {
    const Json* entry = find_member(json, role);
    if (entry == nullptr || entry->is_boolean()) continue;  // false: an old way to say that there is none
    AddedToken token = parse_token(*entry, true);
    token.special = true;
    token.id = -1;
    if (token.content.empty() || !all.config.tokens.emplace(role, token.content).second) continue;
    all.roles.push_back(std::move(token));
  }
  const Json* more = find_member(json, "additional_special_tokens");
  if (more == nullptr) return;
  require(more->is_array(), ErrorKind::invalid_data, "\"additional_special_tokens\": expected an array, found {}",
          more->type_name());
  for (const Json& entry : *more) {
    AddedToken token = parse_token(entry, true);
    token.special = true;
    token.id = -1;
    if (!token.content.empty()) all.roles.push_back(std::move(token));
  }
}

// A token that is null is not there; one that is not named is there.
void collect_infill_roles(const Json& json, Collected& all) {
  for (const auto& [role, fallback] : kInfillRoles) {
    const auto entry = json.find(role);
    if (entry != json.end() && entry->is_null()) continue;
    AddedToken token = parse_token(entry == json.end() ? Json(fallback) : *entry, true);
    token.id = -1;
    const bool named = std::any_of(all.roles.begin(), all.roles.end(),
                                   [&](const AddedToken& known) { return known.content == token.content; });
    if (!named && !token.content.empty()) all.roles.push_back(std::move(token));
  }
}

void collect_config(const Json& json, Collected& all) {
  TokenizerConfig& config = all.config;
  config.tokenizer_class = get_string(json, "tokenizer_class", "");
  if (config.tokenizer_class.ends_with("Fast")) config.tokenizer_class.resize(config.tokenizer_class.size() - 4);
  config.add_bos_token = flag_of(json, "add_bos_token");
  config.add_eos_token = flag_of(json, "add_eos_token");
  config.add_prefix_space = flag_of(json, "add_prefix_space");
  config.do_lower_case = flag_of(json, "do_lower_case");
  config.legacy = flag_of(json, "legacy");
  config.extra_ids = get_count(json, "extra_ids", config.tokenizer_class == "T5Tokenizer" ? 100 : 0, kMaxExtraIds);
  collect_roles(json, all);
  if (config.tokenizer_class == "CodeLlamaTokenizer") collect_infill_roles(json, all);
  const Json* added = find_member(json, "added_tokens_decoder");
  if (added == nullptr) return;
  require(added->is_object(), ErrorKind::invalid_data, "\"added_tokens_decoder\": expected an object, found {}",
          added->type_name());
  for (const auto& [key, entry] : added->items()) {
    AddedToken token = parse_token(entry, false);
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), token.id);
    require(parsed.ec == std::errc() && parsed.ptr == key.data() + key.size() && token.id >= 0 && token.id <= kMaxId,
            ErrorKind::invalid_data, "\"added_tokens_decoder\": '{}' is no token id", key);
    if (!token.content.empty()) config.added.push_back(std::move(token));
  }
}

// {"<image>": 32000}, in files older than "added_tokens_decoder".
void collect_added(const Json& json, Collected& all) {
  require(json.is_object(), ErrorKind::invalid_data, "expected an object, found {}", json.type_name());
  if (!all.config.added.empty()) return;
  for (const auto& [content, id] : json.items()) {
    AddedToken token;
    token.content = content;
    require(id.is_number_unsigned() && id.get<uint64_t>() <= static_cast<uint64_t>(kMaxId), ErrorKind::invalid_data,
            "the id of '{}' is no whole number up to {}", content, kMaxId);
    require(content.size() <= kMaxAddedTokenBytes, ErrorKind::limit, "a token of {} bytes", content.size());
    token.id = static_cast<int32_t>(id.get<uint64_t>());
    if (!content.empty()) all.config.added.push_back(std::move(token));
  }
}

void read_if_there(const std::filesystem::path& path, Collected& all, void (*collect)(const Json&, Collected&)) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  const Json json = read_json_file(path);
  try {
    collect(json, all);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

}  // namespace

std::string TokenizerConfig::token(const std::string& role, const std::string& fallback) const {
  const auto found = tokens.find(role);
  return found == tokens.end() ? fallback : found->second;
}

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  Collected all;
  read_if_there(folder / "tokenizer_config.json", all, collect_config);
  read_if_there(folder / "special_tokens_map.json", all, collect_roles);
  read_if_there(folder / "added_tokens.json", all, collect_added);
  // A token with a role is a control token, whatever else is said of it.
  for (AddedToken& role : all.roles) {
    all.config.named.push_back(role.content);
    // T5 lists these without ids, which follow from their numbers: resolve_added_tokens() adds them.
    if (all.config.extra_ids > 0 && role.content.starts_with("<extra_id_")) continue;
    const auto known = std::find_if(all.config.added.begin(), all.config.added.end(),
                                    [&](const AddedToken& token) { return token.content == role.content; });
    if (known == all.config.added.end()) {
      all.config.added.push_back(std::move(role));
    } else {
      known->special = true;
    }
  }
  return std::move(all.config);
}

std::vector<AddedToken> resolve_added_tokens(const TokenizerConfig& config, int32_t size,
                                             const std::function<std::optional<int32_t>(std::string_view)>& find) {
  std::vector<AddedToken> tokens = config.added;
  int32_t next = size;
  for (const AddedToken& token : tokens) next = std::max(next, token.id + 1);
  for (AddedToken& token : tokens) {
    if (const auto known = find(token.content)) {
      token.id = *known;
    } else if (token.id < 0) {
      token.id = next++;
    }
  }
  // The last of them comes first: <extra_id_0> has the greatest id.
  for (int64_t i = config.extra_ids - 1; i >= 0; --i) {
    AddedToken token;
    token.content = fmt::format("<extra_id_{}>", i);
    token.special = token.lstrip = token.rstrip = true;
    const bool known = std::any_of(tokens.begin(), tokens.end(),
                                   [&](const AddedToken& other) { return other.content == token.content; });
    if (known || find(token.content)) continue;
    token.id = next++;
    tokens.push_back(std::move(token));
  }
  Vocab seen;
  for (const AddedToken& token : tokens) {
    require(seen.add(token.content, token.id), ErrorKind::invalid_data,
            "the added token '{}' with id {} stands twice, or its id does", token.content, token.id);
  }
  return tokens;
}

}  // namespace sensorium::text
