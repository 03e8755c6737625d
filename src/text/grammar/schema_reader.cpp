#include "text/grammar/schema_reader.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "text/grammar/json_multiples.h"
#include "text/grammar/json_strings.h"

namespace sensorium::text::grammar {
namespace {

constexpr std::array<std::string_view, 7> kTypeNames = {"null",   "boolean", "integer", "number",
                                                        "string", "array",   "object"};

struct Keyword {
  const char* name;
  JsonType type;  // of the values that it describes
};
constexpr std::array<Keyword, 21> kKeywords = {{
    {"properties", JsonType::object},
    {"required", JsonType::object},
    {"additionalProperties", JsonType::object},
    {"patternProperties", JsonType::object},
    {"propertyNames", JsonType::object},
    {"minProperties", JsonType::object},
    {"maxProperties", JsonType::object},
    {"items", JsonType::array},
    {"prefixItems", JsonType::array},
    {"minItems", JsonType::array},
    {"maxItems", JsonType::array},
    {"uniqueItems", JsonType::array},
    {"minLength", JsonType::string},
    {"maxLength", JsonType::string},
    {"pattern", JsonType::string},
    {"format", JsonType::string},
    {"minimum", JsonType::number},
    {"maximum", JsonType::number},
    {"exclusiveMinimum", JsonType::number},
    {"exclusiveMaximum", JsonType::number},
    {"multipleOf", JsonType::number},
}};

using Types = std::vector<JsonType>;

bool has(const Types& types, JsonType type) { return std::find(types.begin(), types.end(), type) != types.end(); }

Types named_types(const SchemaNode& node) {
  const OrderedJson& given = node.schema->at("type");
  Types types;
  const auto add = [&](const OrderedJson& name) {
    const auto* const at =
        name.is_string() ? std::find(kTypeNames.begin(), kTypeNames.end(), name.get<std::string>()) : kTypeNames.end();
    expect_schema(at != kTypeNames.end(), node.where, "{} is no type", name.dump());
    const auto type = static_cast<JsonType>(at - kTypeNames.begin());
    if (!has(types, type)) types.push_back(type);
  };
  if (!given.is_array()) {
    add(given);
  } else {
    for (const OrderedJson& name : given) add(name);
    expect_schema(!types.empty(), node.where, "\"type\" is an empty list");
  }
  // A whole number is a number.
  if (has(types, JsonType::number)) std::erase(types, JsonType::integer);
  return types;
}

Types common(const Types& a, const Types& b) {
  Types both;
  for (const JsonType type : a) {
    if (has(b, type) || (type == JsonType::integer && has(b, JsonType::number))) both.push_back(type);
    if (type == JsonType::number && has(b, JsonType::integer)) both.push_back(JsonType::integer);
  }
  return both;
}

// The keyword of a plain negation (SchemaParts::nodes), or nullptr.
const OrderedJson* negated(const SchemaNode& node, const char* keyword) {
  if (!node.schema->contains("not")) return nullptr;
  const OrderedJson& schema = node.schema->at("not");
  return schema.is_object() && schema.contains(keyword) ? &schema.at(keyword) : nullptr;
}

std::string pattern_of(const OrderedJson& given, const char* keyword, const std::string& where) {
  expect_schema(given.is_string(), where, "\"{}\" is {}, expected a text", keyword, given.dump());
  const std::string text = given.get<std::string>();
  if (std::string_view(keyword) == "pattern") return text;
  const std::string_view pattern = format_pattern(text);
  if (pattern.empty()) refuse_schema(where, fmt::format("the format \"{}\"", text));
  return std::string(pattern);
}

const OrderedJson* find_member(const SchemaNode& node, const char* keyword) {
  return node.schema->contains(keyword) ? &node.schema->at(keyword) : nullptr;
}

const OrderedJson* find_object(const SchemaNode& node, const char* keyword) {
  const OrderedJson* found = find_member(node, keyword);
  expect_schema(found == nullptr || found->is_object(), node.where, "\"{}\" is no object", keyword);
  return found;
}

template <typename Rule>
void read_counts(const SchemaNode& node, const char* least, const char* most, Rule& rule) {
  if (find_member(node, least) != nullptr)
    rule.least = std::max(rule.least, schema_count(*node.schema, least, node.where));
  if (find_member(node, most) == nullptr) return;
  const int64_t limit = schema_count(*node.schema, most, node.where);
  rule.most = rule.most == GrammarBuilder::kUnlimited ? limit : std::min(rule.most, limit);
}

}  // namespace

bool SchemaReader::same_value(const OrderedJson& a, const OrderedJson& b) {
  if (!a.is_structured() || !b.is_structured()) return a == b;
  return Json::parse(a.dump()) == Json::parse(b.dump());
}

bool SchemaReader::is_of(const OrderedJson& value, JsonType type) {
  switch (type) {
    case JsonType::null:
      return value.is_null();
    case JsonType::boolean:
      return value.is_boolean();
    case JsonType::integer:
      return value.is_number() && std::floor(value.get<double>()) == value.get<double>();
    case JsonType::number:
      return value.is_number();
    case JsonType::string:
      return value.is_string();
    case JsonType::array:
      return value.is_array();
    case JsonType::object:
      return value.is_object();
  }
  return false;
}

std::optional<Types> SchemaReader::types(std::span<const SchemaNode> nodes) {
  std::optional<Types> left;
  const auto restrict_to = [&](const Types& types) { left = left ? common(*left, types) : types; };
  for (const SchemaNode& node : nodes) {
    if (find_member(node, "type") != nullptr) restrict_to(named_types(node));
    // Of anything but a string a pattern holds.
    if (negated(node, "pattern") != nullptr || negated(node, "format") != nullptr) restrict_to({JsonType::string});
  }
  return left;
}

bool SchemaReader::describes(std::span<const SchemaNode> nodes, JsonType type) {
  return std::any_of(kKeywords.begin(), kKeywords.end(), [&](const Keyword& keyword) {
    return keyword.type == type && std::any_of(nodes.begin(), nodes.end(), [&](const SchemaNode& node) {
             return find_member(node, keyword.name) != nullptr;
           });
  });
}

Types SchemaReader::written_types(std::span<const SchemaNode> nodes) {
  if (const auto given = types(nodes)) return *given;
  Types spoken_of;
  for (const JsonType type : {JsonType::object, JsonType::array, JsonType::string, JsonType::number}) {
    if (describes(nodes, type)) spoken_of.push_back(type);
  }
  if (!spoken_of.empty() || excluded(nodes).empty()) return spoken_of;
  return {JsonType::null, JsonType::boolean, JsonType::number, JsonType::string, JsonType::array, JsonType::object};
}

std::optional<std::vector<const OrderedJson*>> SchemaReader::listed(std::span<const SchemaNode> nodes) {
  for (const SchemaNode& node : nodes) {
    if (const OrderedJson* one = find_member(node, "const")) return std::vector{one};
    const OrderedJson* list = find_member(node, "enum");
    if (list == nullptr) continue;
    expect_schema(list->is_array(), node.where, "\"enum\" is no list");
    std::vector<const OrderedJson*> values;
    for (const OrderedJson& value : *list) values.push_back(&value);
    return values;
  }
  return std::nullopt;
}

std::vector<const OrderedJson*> SchemaReader::excluded(std::span<const SchemaNode> nodes) {
  std::vector<const OrderedJson*> values;
  for (const SchemaNode& node : nodes) {
    if (const OrderedJson* one = negated(node, "const")) values.push_back(one);
    if (const OrderedJson* list = negated(node, "enum")) {
      expect_schema(list->is_array(), node.where, "\"enum\" is no list");
      for (const OrderedJson& value : *list) values.push_back(&value);
    }
  }
  return values;
}

NumberBounds SchemaReader::numbers(std::span<const SchemaNode> nodes) {
  NumberBounds bounds;
  for (const SchemaNode& node : nodes) {
    const auto read = [&](const char* keyword) -> const OrderedJson* {
      const OrderedJson* value = find_member(node, keyword);
      if (value != nullptr) {
        expect_schema(value->is_number(), node.where, "\"{}\" is {}, expected a number", keyword, value->dump());
      }
      return value;
    };
    const auto bound = [&](const char* keyword, bool exclusive, bool low) {
      const OrderedJson* value = read(keyword);
      if (value == nullptr) return;
      const Decimal decimal = to_decimal(*value);
      if (decimal.cut && low != decimal.negative)
        refuse_schema(node.where, fmt::format("\"{}\": {}", keyword, value->dump()));
      std::optional<Bound>& known = low ? bounds.low : bounds.high;
      const int order = known ? compare(decimal, known->value) : 0;
      if (!known || order == (low ? 1 : -1)) {
        known = Bound{decimal, exclusive};
      } else if (order == 0) {
        known->exclusive = known->exclusive || exclusive;
      }
    };
    bound("minimum", false, true);
    bound("exclusiveMinimum", true, true);
    bound("maximum", false, false);
    bound("exclusiveMaximum", true, false);
    if (const OrderedJson* step = read("multipleOf")) {
      expect_schema(step->get<double>() > 0, node.where, "\"multipleOf\" is {}, expected more than 0", step->dump());
      bounds.step = bounds.step ? common_multiple(*bounds.step, to_step(*step)) : to_step(*step);
    }
  }
  return bounds;
}

StringRule SchemaReader::strings(std::span<const SchemaNode> nodes) {
  StringRule rule;
  for (const SchemaNode& node : nodes) {
    read_counts(node, "minLength", "maxLength", rule);
    for (const char* keyword : {"pattern", "format"}) {
      const auto add = [&](const OrderedJson* given, std::vector<std::string>& patterns) {
        if (given != nullptr) patterns.push_back(pattern_of(*given, keyword, node.where));
      };
      add(find_member(node, keyword), rule.patterns);
      add(negated(node, keyword), rule.other_patterns);
    }
  }
  for (const OrderedJson* value : excluded(nodes)) {
    if (value->is_string()) rule.other_strings.push_back(value->get<std::string>());
  }
  return rule;
}

ArrayRule SchemaReader::arrays(std::span<const SchemaNode> nodes) {
  ArrayRule rule;
  size_t first = 0;
  for (const SchemaNode& node : nodes) {
    read_counts(node, "minItems", "maxItems", rule);
    const OrderedJson* items = find_member(node, "prefixItems");
    expect_schema(items == nullptr || items->is_array(), node.where, "\"prefixItems\" is no list");
    if (items != nullptr) first = std::max(first, items->size());
    if (const OrderedJson* distinct = find_member(node, "uniqueItems")) {
      expect_schema(distinct->is_boolean(), node.where, "\"uniqueItems\" is {}, expected true or false",
                    distinct->dump());
      rule.distinct = rule.distinct || distinct->get<bool>();
    }
  }
  rule.first.resize(first);
  for (const SchemaNode& node : nodes) {
    const OrderedJson *before = find_member(node, "prefixItems"), *items = find_member(node, "items");
    for (size_t i = 0; i < first; ++i) {
      if (before != nullptr && i < before->size()) {
        rule.first[i].push_back({&(*before)[i], fmt::format("{}/prefixItems/{}", node.where, i)});
      } else if (items != nullptr) {
        rule.first[i].push_back({items, node.where + "/items"});
      }
    }
    if (items != nullptr) rule.rest.push_back({items, node.where + "/items"});
  }
  return rule;
}

SchemaNodes SchemaReader::member(std::span<const SchemaNode> nodes, const std::string& name) {
  SchemaNodes schemas;
  for (const SchemaNode& node : nodes) {
    bool declared = false;
    const auto add = [&](const OrderedJson& schema, const std::string& keyword) {
      schemas.push_back({&schema, fmt::format("{}/{}", node.where, keyword)});
      declared = true;
    };
    const OrderedJson *properties = find_object(node, "properties"), *patterns = find_object(node, "patternProperties");
    if (properties != nullptr && properties->contains(name)) add(properties->at(name), "properties/" + name);
    if (patterns != nullptr) {
      for (const auto& [pattern, schema] : patterns->items()) {
        if (matching(pattern).contains(name)) add(schema, "patternProperties/" + pattern);
      }
    }
    const OrderedJson* others = find_member(node, "additionalProperties");
    if (!declared && others != nullptr) add(*others, "additionalProperties");
  }
  return schemas;
}

SchemaNodes SchemaReader::member(std::span<const SchemaNode> nodes, std::span<const std::string> matched) {
  SchemaNodes schemas;
  for (const SchemaNode& node : nodes) {
    bool declared = false;
    if (const OrderedJson* patterns = find_object(node, "patternProperties")) {
      for (const auto& [pattern, schema] : patterns->items()) {
        if (std::find(matched.begin(), matched.end(), pattern) == matched.end()) continue;
        schemas.push_back({&schema, fmt::format("{}/patternProperties/{}", node.where, pattern)});
        declared = true;
      }
    }
    const OrderedJson* others = find_member(node, "additionalProperties");
    if (!declared && others != nullptr) schemas.push_back({others, node.where + "/additionalProperties"});
  }
  return schemas;
}

ObjectRule SchemaReader::objects(std::span<const SchemaNode> nodes) {
  ObjectRule rule;
  std::vector<std::string> required;
  bool opens = false;
  const auto add = [](std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  std::vector<std::string> names;
  for (const SchemaNode& node : nodes) {
    if (const OrderedJson* given = find_member(node, "required")) {
      expect_schema(
          given->is_array() && std::all_of(given->begin(), given->end(), [](const auto& v) { return v.is_string(); }),
          node.where, "\"required\" is no list of names");
      for (const OrderedJson& name : *given) add(required, name.get<std::string>());
    }
    if (const OrderedJson* properties = find_object(node, "properties")) {
      for (const auto& member : properties->items()) add(names, member.key());
    }
    if (const OrderedJson* patterns = find_object(node, "patternProperties")) {
      for (const auto& member : patterns->items()) add(rule.patterns, member.key());
    }
    opens = opens || find_member(node, "additionalProperties") != nullptr;
    if (const OrderedJson* given = find_member(node, "propertyNames")) {
      rule.names.push_back({given, node.where + "/propertyNames"});
    }
    read_counts(node, "minProperties", "maxProperties", rule);
  }
  const bool declares = !names.empty() || !rule.patterns.empty();
  for (const std::string& name : required) add(names, name);
  for (const std::string& name : names) {
    const bool needed = std::find(required.begin(), required.end(), name) != required.end();
    rule.properties.push_back({name, member(nodes, name), needed});
  }
  // Where nothing is declared anything may come; where something is, only what additionalProperties says.
  rule.open = opens || !declares;
  return rule;
}

const StringSet& SchemaReader::matching(const std::string& pattern) {
  const auto known = patterns_.find(pattern);
  if (known != patterns_.end()) return known->second;
  return patterns_.emplace(pattern, StringSet::matching(pattern)).first->second;
}

StringSet SchemaReader::string_set(const StringRule& rule) {
  StringSet set = StringSet::all();
  if (rule.least > 0 || rule.most != GrammarBuilder::kUnlimited) set = StringSet::sized(rule.least, rule.most);
  for (const std::string& pattern : rule.patterns) set = set.intersection(matching(pattern));
  for (const std::string& pattern : rule.other_patterns) set = set.intersection(matching(pattern).complement());
  if (!rule.other_strings.empty()) set = set.intersection(StringSet::of(rule.other_strings).complement());
  return set;
}

bool SchemaReader::may_be(const OrderedJson& value, std::span<const SchemaNode> nodes) {
  const auto given = types(nodes);
  if (given && std::none_of(given->begin(), given->end(), [&](JsonType type) { return is_of(value, type); }))
    return false;
  const auto same = [&](const OrderedJson* other) { return same_value(*other, value); };
  for (const SchemaNode& node : nodes) {
    const auto list = listed({&node, 1});
    if (list && std::none_of(list->begin(), list->end(), same)) return false;
  }
  const auto others = excluded(nodes);
  if (std::any_of(others.begin(), others.end(), same)) return false;
  if (value.is_number()) return within(numbers(nodes), value);
  if (value.is_string()) return string_set(strings(nodes)).contains(value.get<std::string>());
  return true;
}

}  // namespace sensorium::text::grammar
