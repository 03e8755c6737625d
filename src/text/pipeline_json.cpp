#include "text/pipeline_json.h"

#include <utility>

#include "base/error.h"
#include "text/component.h"

namespace sensorium::text {
namespace {

constexpr size_t kMaxAddedTokenBytes = 1 << 12;  // they are looked for at every place of a text

// As in the reference, a token that the model's vocabulary has keeps the id it has there.
std::vector<AddedToken> parse_added_tokens(const Json& json, const Vocab& vocab) {
  std::vector<AddedToken> tokens;
  Vocab seen;
  for (const Json& entry : json) {
    AddedToken token;
    token.content = get_string(entry, "content");
    require(token.content.size() <= kMaxAddedTokenBytes, ErrorKind::limit,
            "an added token of {} bytes, at most {} are allowed", token.content.size(), kMaxAddedTokenBytes);
    require(find_member(entry, "id") != nullptr, ErrorKind::invalid_data, "the added token '{}' has no id",
            token.content);
    token.id = static_cast<int32_t>(get_count(entry, "id", 0, kMaxTokenId));
    token.single_word = get_flag(entry, "single_word", false);
    token.lstrip = get_flag(entry, "lstrip", false);
    token.rstrip = get_flag(entry, "rstrip", false);
    token.special = get_flag(entry, "special", false);
    token.normalized = get_flag(entry, "normalized", !token.special);
    if (token.content.empty()) continue;
    const int32_t known = vocab.find(token.content);
    if (known != Vocab::kNone) token.id = known;
    require(known != Vocab::kNone || !vocab.has(token.id), ErrorKind::invalid_data,
            "the added token '{}' has the id {} of '{}'", token.content, token.id, vocab.token(token.id));
    require(seen.add(token.content, token.id), ErrorKind::invalid_data,
            "the added token '{}' with id {} stands twice, or its id does", token.content, token.id);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Json copy_member(const Json& json, std::string_view key) {
  const Json* member = find_member(json, key);
  return member == nullptr ? Json() : *member;
}

}  // namespace

const Json& model_of(const Json& json) {
  require(json.is_object(), ErrorKind::invalid_data, "not a tokenizer.json: expected an object, found {}",
          json.type_name());
  const std::string version = get_string(json, "version", "1.0");
  require(version == "1.0", ErrorKind::unsupported, "tokenizer.json of version \"{}\", only \"1.0\" is supported",
          version);
  const Json* model = find_member(json, "model");
  require(model != nullptr, ErrorKind::invalid_data, "not a tokenizer.json: \"model\" is missing");
  return *model;
}

std::string model_type(const Json& model) {
  // Old files leave the type out; only BPE has merges.
  return get_string(model, "type", find_member(model, "merges") != nullptr ? "BPE" : "unknown");
}

PipelineParts parse_pipeline(const Json& json, const Vocab& vocab) {
  PipelineParts parts;
  if (find_member(json, "added_tokens") != nullptr) {
    parts.added = parse_added_tokens(get_array(json, "added_tokens"), vocab);
  }
  parts.normalizer = copy_member(json, "normalizer");
  parts.pre_tokenizer = copy_member(json, "pre_tokenizer");
  parts.post_processor = copy_member(json, "post_processor");
  parts.decoder = copy_member(json, "decoder");
  return parts;
}

}  // namespace sensorium::text
