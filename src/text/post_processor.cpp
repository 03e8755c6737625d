#include "text/post_processor.h"

#include <limits>
#include <string>
#include <string_view>

#include "text/component.h"

namespace sensorium::text {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();

int32_t parse_id(const Json& id) {
  require(id.is_number_unsigned() && id.get<uint64_t>() <= static_cast<uint64_t>(kMaxId), ErrorKind::invalid_data,
          "post_processor: a token id is not a whole number below 2^31");
  return static_cast<int32_t>(id.get<uint64_t>());
}

// {"single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [1]}}}
AffixIds make_template(const Json& json, int) {
  AffixIds affixes;
  bool text_seen = false;
  const Json* tokens = find_member(json, "special_tokens");
  for (const Json& piece : get_array(json, "single")) {
    if (find_member(piece, "Sequence") != nullptr) {
      require(!text_seen, ErrorKind::unsupported, "post_processor: a template with the text twice is not supported");
      text_seen = true;
      continue;
    }
    const Json* special = find_member(piece, "SpecialToken");
    require(special != nullptr, ErrorKind::invalid_data, "post_processor: a piece that is no Sequence or SpecialToken");
    const std::string name = get_string(*special, "id");
    const Json* token = tokens == nullptr ? nullptr : find_member(*tokens, name);
    require(token != nullptr, ErrorKind::invalid_data, "post_processor: the special token '{}' has no ids", name);
    for (const Json& id : get_array(*token, "ids")) {
      (text_seen ? affixes.after : affixes.before).push_back(parse_id(id));
    }
  }
  require(text_seen, ErrorKind::unsupported, "post_processor: a template without the text is not supported");
  return affixes;
}

int32_t token_of_pair(const Json& json, std::string_view key) {
  const Json& pair = get_array(json, key);
  require(pair.size() == 2, ErrorKind::invalid_data, "post_processor: \"{}\" must be [token, id]", key);
  return parse_id(pair[1]);
}

AffixIds make_cls_sep(const Json& json, int) { return {{token_of_pair(json, "cls")}, {token_of_pair(json, "sep")}}; }

AffixIds make_sequence(const Json& json, int depth) {
  require(depth < kMaxComponentDepth, ErrorKind::limit, "post_processor: sequences nested deeper than {}",
          kMaxComponentDepth);
  AffixIds all;
  for (const Json& step : get_array(json, "processors")) {
    const AffixIds affixes = parse_post_processor(step, depth + 1);
    all.before.insert(all.before.begin(), affixes.before.begin(), affixes.before.end());
    all.after.insert(all.after.end(), affixes.after.begin(), affixes.after.end());
  }
  return all;
}

struct Kind {
  std::string_view type;
  AffixIds (*make)(const Json&, int depth);
};

constexpr Kind kKinds[] = {
    {"TemplateProcessing", make_template}, {"RobertaProcessing", make_cls_sep},
    {"BertProcessing", make_cls_sep},      {"ByteLevel", [](const Json&, int) { return AffixIds{}; }},
    {"Sequence", make_sequence},
};

}  // namespace

AffixIds parse_post_processor(const Json& json, int depth) {
  const std::string type = component_type(json, "post_processor");
  for (const Kind& kind : kKinds) {
    if (kind.type == type) return kind.make(json, depth);
  }
  unsupported_component("post_processor", type);
}

}  // namespace sensorium::text
