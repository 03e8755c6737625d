#include "text/vocab_merges.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_json_steps.h"
#include "text/unicode.h"
#include "text/word_split.h"

namespace sensorium::text {
namespace {

constexpr size_t kMaxFileBytes = size_t{256} << 20;
constexpr std::string_view kClipPattern = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
constexpr std::string_view kEndOfText = "<|endoftext|>";

// Each fills in the parts of a tokenizer.json around "vocab" and "merges".

void make_gpt2(Json& json, const TokenizerConfig& config) {
  json["pre_tokenizer"] = byte_level_step(config.add_prefix_space.value_or(false), true);
  json["decoder"] = byte_level_step(true, true);
}

void make_qwen2(Json& json, const TokenizerConfig& config) {
  json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] = step_sequence(
      "pretokenizers",
      {split_step(kQwen2Pattern, "Isolated"), byte_level_step(config.add_prefix_space.value_or(false), false)});
  json["decoder"] = byte_level_step(true, true);
}

// The mark of a word's end becomes a space again; so a decoded text ends in one, which the reference strips.
void make_clip(Json& json, const TokenizerConfig& config) {
  json["normalizer"] =
      step_sequence("normalizers", {{{"type", "NFC"}},
                                    {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
                                    {{"type", "Lowercase"}}});
  json["pre_tokenizer"] =
      step_sequence("pretokenizers", {split_step(kClipPattern, "Removed", true), byte_level_step(false, true)});
  json["decoder"] = step_sequence(
      "decoders",
      {{{"type", "Replace"}, {"pattern", {{"String", "</w>"}}}, {"content", "\xC4\xA0"}}, byte_level_step(true, true)});
  json["model"]["end_of_word_suffix"] = "</w>";
  json["model"]["unk_token"] = config.token("unk_token", std::string(kEndOfText));
}

struct Kind {
  std::string_view name;
  void (*make)(Json& json, const TokenizerConfig& config);
  std::string_view bos, eos;  // unless the configuration names others
  bool add_bos, add_eos;
};
constexpr Kind kKinds[] = {
    {"GPT2Tokenizer", make_gpt2, kEndOfText, kEndOfText, false, false},
    {"Qwen2Tokenizer", make_qwen2, "", kEndOfText, false, false},
    {"CLIPTokenizer", make_clip, "<|startoftext|>", kEndOfText, true, true},
};

const Kind& kind_of(const TokenizerConfig& config, const Json& vocab) {
  std::string wanted = config.tokenizer_class;
  if (wanted.empty()) {
    const bool has_suffix = vocab.is_object() && vocab.contains("a</w>");
    wanted = has_suffix ? "CLIPTokenizer" : "GPT2Tokenizer";
  }
  std::string names;
  for (const Kind& kind : kKinds) {
    if (kind.name == wanted) return kind;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", kind.name);
  }
  fail(ErrorKind::unsupported, "vocab.json and merges.txt for the class \"{}\" are not supported, only those for {}",
       wanted, names);
}

// One merge a line, two tokens with a space between; the first line may be "#version: ...".
Json parse_merges(std::string_view text) {
  Json merges = Json::array();
  bool first = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (std::exchange(first, false) && line.starts_with("#version")) continue;
    if (!line.empty()) merges.push_back(std::string(line));
  }
  return merges;
}

Json make_json(std::string_view vocab_json, std::string_view merges_txt, const TokenizerConfig& config) {
  require(is_valid_utf8(merges_txt), ErrorKind::invalid_data, "merges.txt is not valid UTF-8");
  Json vocab = parse_json(vocab_json).value();
  require(vocab.is_object() && !vocab.empty(), ErrorKind::invalid_data, "vocab.json: expected tokens with their ids");
  const Kind& kind = kind_of(config, vocab);
  int64_t size = 0;
  for (const auto& [token, id] : vocab.items()) {
    if (id.is_number_unsigned() && id.get<uint64_t>() < (uint64_t{1} << 22))
      size = std::max(size, id.get<int64_t>() + 1);
  }
  const auto find = [&](std::string_view token) -> std::optional<int32_t> {
    const auto found = vocab.find(token);
    if (found == vocab.end() || !found->is_number_unsigned()) return std::nullopt;
    return static_cast<int32_t>(found->get<uint64_t>());
  };
  TokenizerConfig completed = config;
  const auto complete = [&](const char* role, std::string_view token) {
    if (token.empty() || !completed.tokens.emplace(role, token).second) return;
    const auto same = [&](const AddedToken& known) { return known.content == token; };
    if (std::any_of(completed.added.begin(), completed.added.end(), same)) return;
    AddedToken added;
    added.id = -1;
    added.content = token;
    added.special = true;
    completed.added.push_back(std::move(added));
  };
  complete("bos_token", kind.bos);
  complete("eos_token", kind.eos);

  Json added = Json::array();
  std::map<std::string, int32_t> ids;
  for (const AddedToken& token : resolve_added_tokens(completed, static_cast<int32_t>(size), find)) {
    ids[token.content] = token.id;
    added.push_back({{"id", static_cast<uint32_t>(token.id)},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", false},
                     {"special", token.special}});
  }
  Json json = {{"version", "1.0"}, {"added_tokens", std::move(added)}};
  json["model"] = {{"type", "BPE"}, {"merges", parse_merges(merges_txt)}};
  json["model"]["vocab"] = std::move(vocab);
  kind.make(json, config);

  const auto affix = [&](const char* role, bool wanted) {
    const std::string token = completed.token(role, "");
    return wanted && !token.empty() ? std::optional(AffixToken{token, ids.at(token)}) : std::nullopt;
  };
  json["post_processor"] = affix_step(affix("bos_token", config.add_bos_token.value_or(kind.add_bos)),
                                      affix("eos_token", config.add_eos_token.value_or(kind.add_eos)));
  return json;
}

}  // namespace

Result<std::unique_ptr<BpeTokenizer>> parse_vocab_merges(std::string_view vocab_json, std::string_view merges_txt,
                                                         const TokenizerConfig& config) {
  try {
    return tokenizer_from_json(make_json(vocab_json, merges_txt, config));
  } catch (const Error& error) {
    return error;
  }
}

Result<std::unique_ptr<Tokenizer>> read_vocab_merges(const std::filesystem::path& vocab_path) {
  try {
    const std::filesystem::path folder = vocab_path.parent_path();
    const TokenizerConfig config = read_tokenizer_config(folder);
    const std::string merges = read_file(folder / "merges.txt", kMaxFileBytes);
    auto tokenizer = parse_vocab_merges(read_file(vocab_path, kMaxFileBytes), merges, config);
    if (!tokenizer) return tokenizer.error().with_context(vocab_path.string());
    return std::unique_ptr<Tokenizer>(std::move(tokenizer).value());
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace sensorium::text
