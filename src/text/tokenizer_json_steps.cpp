#include "text/tokenizer_json_steps.h"

namespace sensorium::text {

Json byte_level_step(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json split_step(std::string_view pattern, std::string_view behavior, bool invert) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", behavior}, {"invert", invert}};
}

Json step_sequence(std::string_view key, Json steps) {
  Json json = {{"type", "Sequence"}};
  json[std::string(key)] = std::move(steps);
  return json;
}

Json affix_step(const std::optional<AffixToken>& before, const std::optional<AffixToken>& after) {
  Json pieces = Json::array(), special = Json::object();
  const auto add = [&](const std::optional<AffixToken>& token) {
    if (!token) return;
    pieces.push_back({{"SpecialToken", {{"id", token->text}, {"type_id", 0}}}});
    special[token->text] = {
        {"id", token->text}, {"ids", {static_cast<uint32_t>(token->id)}}, {"tokens", {token->text}}};
  };
  add(before);
  pieces.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add(after);
  return {{"type", "TemplateProcessing"}, {"single", pieces}, {"special_tokens", special}};
}

}  // namespace sensorium::text
