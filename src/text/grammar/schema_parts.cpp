#include "text/grammar/schema_parts.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sensorium::text::grammar {
namespace {

constexpr size_t kMostDepth = 200;
constexpr int64_t kMostCount = 1 << 16;

constexpr std::array<std::string_view, 24> kDescribing = {"type",
                                                          "enum",
                                                          "const",
                                                          "properties",
                                                          "required",
                                                          "additionalProperties",
                                                          "patternProperties",
                                                          "propertyNames",
                                                          "minProperties",
                                                          "maxProperties",
                                                          "prefixItems",
                                                          "items",
                                                          "minItems",
                                                          "maxItems",
                                                          "uniqueItems",
                                                          "minLength",
                                                          "maxLength",
                                                          "pattern",
                                                          "format",
                                                          "minimum",
                                                          "maximum",
                                                          "multipleOf",
                                                          "exclusiveMinimum",
                                                          "exclusiveMaximum"};
constexpr std::array<std::string_view, 8> kCombining = {"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"};
constexpr std::array<std::string_view, 13> kAnnotations = {
    "title",      "description", "default",   "examples", "$schema",     "$id",    "$comment",
    "deprecated", "readOnly",    "writeOnly", "$defs",    "definitions", "$anchor"};

template <size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string unescape(std::string_view name) {
  std::string result;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '~' && i + 1 < name.size() && (name[i + 1] == '0' || name[i + 1] == '1')) {
      result += name[++i] == '0' ? '~' : '/';
    } else {
      result += name[i];
    }
  }
  return result;
}

const OrderedJson& list_of(const OrderedJson& schema, const std::string& keyword, const std::string& where) {
  const OrderedJson& list = schema.at(keyword);
  expect_schema(list.is_array() && !list.empty(), where, "\"{}\" is no list of schemas", keyword);
  return list;
}

// Negations that the keywords of a value can say: of listed values, and of a pattern.
bool is_plain_negation(const OrderedJson& negated) {
  if (!negated.is_object()) return false;
  std::string only;
  for (const auto& member : negated.items()) {
    if (among(kAnnotations, member.key())) continue;
    if (!only.empty()) return false;
    only = member.key();
  }
  return only == "enum" || only == "const" || only == "pattern" || only == "format";
}

OrderedJson other_types(const OrderedJson& given) {
  // A whole number is a number: without either, neither is left.
  const auto has = [&](const char* name) {
    return given.is_array() ? std::find(given.begin(), given.end(), name) != given.end() : given == name;
  };
  OrderedJson left = OrderedJson::array();
  for (const char* name : {"null", "boolean", "string", "array", "object"}) {
    if (!has(name)) left.push_back(name);
  }
  if (!has("number") && !has("integer")) left.push_back("number");
  return left.empty() ? OrderedJson(false) : OrderedJson{{"type", left}};
}

}  // namespace

std::vector<const void*> SchemaParts::key() const {
  std::vector<const void*> key;
  for (const SchemaNode& node : nodes) key.push_back(node.schema);
  std::sort(key.begin(), key.end());
  key.push_back(nullptr);
  const auto first = static_cast<std::ptrdiff_t>(key.size());
  for (const SchemaChoice& choice : choices) key.push_back(choice.list);
  std::sort(key.begin() + first, key.end());
  if (never) key = {nullptr, nullptr};
  return key;
}

const std::string& SchemaParts::where() const {
  static const std::string kRoot = "#";
  return !choices.empty() ? choices[0].where : nodes.empty() ? kRoot : nodes[0].where;
}

void refuse_schema(const std::string& where, const std::string& what) {
  fail(ErrorKind::unsupported, "JSON schema, {}: {} is not supported", where, what);
}

int64_t schema_count(const OrderedJson& schema, const char* keyword, const std::string& where) {
  const OrderedJson& value = schema.at(keyword);
  const double number = value.is_number() ? value.get<double>() : -1;
  expect_schema(number >= 0 && number == std::floor(number), where, "\"{}\" is {}, expected a whole number from 0",
                keyword, value.dump());
  require(number <= static_cast<double>(kMostCount), ErrorKind::limit, "JSON schema, {}: \"{}\" is {}, more than {}",
          where, keyword, value.dump(), kMostCount);
  return static_cast<int64_t>(number);
}

SchemaParts SchemaDocument::parts(std::span<const SchemaNode> schemas) {
  SchemaParts parts;
  for (const SchemaNode& schema : schemas) take(schema, parts);
  return parts;
}

SchemaParts SchemaDocument::choose(const SchemaParts& parts, size_t index) {
  const SchemaChoice choice = parts.choices.front();
  SchemaParts chosen = parts;
  chosen.choices.erase(chosen.choices.begin());
  take({&(*choice.list)[index], fmt::format("{}/{}", choice.where, index)}, chosen);
  return chosen;
}

void SchemaDocument::take(const SchemaNode& node, SchemaParts& parts) {
  const OrderedJson& schema = *node.schema;
  if (schema.is_boolean()) {
    parts.never = parts.never || !schema.get<bool>();
    return;
  }
  expect_schema(schema.is_object(), node.where, "expected an object or true or false, found {}", schema.type_name());
  // A schema that stands for itself says nothing that could be met.
  if (std::find(open_.begin(), open_.end(), node.schema) != open_.end()) {
    parts.never = true;
    return;
  }
  require(open_.size() < kMostDepth, ErrorKind::limit, "JSON schema, {}: nested deeper than {}", node.where,
          kMostDepth);
  bool describes = false;
  for (const auto& member : schema.items()) {
    const std::string& name = member.key();
    if (among(kAnnotations, name)) continue;
    const bool describing = among(kDescribing, name);
    if (!describing && !among(kCombining, name)) refuse_schema(node.where, fmt::format("the keyword \"{}\"", name));
    describes = describes || describing;
  }
  open_.push_back(node.schema);
  const auto same = [&](const SchemaNode& known) { return known.schema == node.schema; };
  if (describes && std::none_of(parts.nodes.begin(), parts.nodes.end(), same)) parts.nodes.push_back(node);
  if (schema.contains("$ref")) {
    take({&resolve(schema.at("$ref"), node.where), schema.at("$ref").get<std::string>()}, parts);
  }
  if (schema.contains("allOf")) {
    const OrderedJson& all = list_of(schema, "allOf", node.where);
    for (size_t i = 0; i < all.size(); ++i) take({&all[i], fmt::format("{}/allOf/{}", node.where, i)}, parts);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!schema.contains(keyword)) continue;
    const OrderedJson& list = list_of(schema, keyword, node.where);
    const auto known = [&](const SchemaChoice& choice) { return choice.list == &list; };
    if (std::any_of(parts.choices.begin(), parts.choices.end(), known)) continue;
    parts.choices.push_back({&list, fmt::format("{}/{}", node.where, keyword), std::string_view(keyword) == "oneOf"});
  }
  if (schema.contains("not")) take_negation(node, parts);
  if (schema.contains("if")) take_condition(node, parts);
  open_.pop_back();
}

// Both ways: what "if" says and what "then" says, or neither "if" nor anything but what "else" says.
OrderedJson SchemaDocument::conditions(const OrderedJson& schema) {
  const OrderedJson& condition = schema.at("if");
  const auto way = [&](const OrderedJson& first, const char* keyword) {
    return OrderedJson{{"allOf", {first, schema.value(keyword, OrderedJson(true))}}};
  };
  return OrderedJson::array({way(condition, "then"), way({{"not", condition}}, "else")});
}

void SchemaDocument::take_condition(const SchemaNode& node, SchemaParts& parts) {
  const OrderedJson& schema = *node.schema;
  // Alone, "if" says nothing.
  if (!schema.contains("then") && !schema.contains("else")) return;
  auto known = conditions_.find(&schema);
  if (known == conditions_.end()) {
    made_.push_back({{"anyOf", conditions(schema)}});
    known = conditions_.emplace(&schema, &made_.back()).first;
  }
  take({known->second, node.where + "/if"}, parts);
}

void SchemaDocument::take_negation(const SchemaNode& node, SchemaParts& parts) {
  const OrderedJson& negated = node.schema->at("not");
  if (is_plain_negation(negated)) {
    const auto same = [&](const SchemaNode& known) { return known.schema == node.schema; };
    if (std::none_of(parts.nodes.begin(), parts.nodes.end(), same)) parts.nodes.push_back(node);
    return;
  }
  const std::string where = node.where + "/not";
  auto known = negations_.find(&negated);
  if (known == negations_.end()) {
    made_.push_back(negation(negated, where));
    known = negations_.emplace(&negated, &made_.back()).first;
  }
  take({known->second, where}, parts);
}

OrderedJson SchemaDocument::negation(const OrderedJson& schema, const std::string& where) {
  if (schema.is_boolean()) return !schema.get<bool>();
  expect_schema(schema.is_object(), where, "expected an object or true or false, found {}", schema.type_name());
  const auto not_of = [](const OrderedJson& one) { return OrderedJson{{"not", one}}; };
  OrderedJson ways = OrderedJson::array();  // to break a keyword
  for (const auto& [name, value] : schema.items()) {
    if (among(kAnnotations, name) || name == "then" || name == "else") continue;
    const auto way_with = [&](const char* type, const char* keyword, const OrderedJson& limit) {
      ways.push_back({{"type", type}, {keyword, limit}});
    };
    if (name == "type") {
      ways.push_back(other_types(value));
    } else if (name == "enum" || name == "const") {
      ways.push_back(not_of({{name, value}}));
    } else if (name == "pattern" || name == "format") {
      way_with("string", "not", {{name, value}});
    } else if (name == "minLength" || name == "minItems") {
      const int64_t least = schema_count(schema, name.c_str(), where);
      const bool string = name == "minLength";
      if (least > 0) way_with(string ? "string" : "array", string ? "maxLength" : "maxItems", least - 1);
    } else if (name == "maxLength" || name == "maxItems") {
      const bool string = name == "maxLength";
      way_with(string ? "string" : "array", string ? "minLength" : "minItems",
               schema_count(schema, name.c_str(), where) + 1);
    } else if (name == "minProperties") {
      const int64_t least = schema_count(schema, name.c_str(), where);
      if (least > 0) way_with("object", "maxProperties", least - 1);
    } else if (name == "maxProperties") {
      way_with("object", "minProperties", schema_count(schema, name.c_str(), where) + 1);
    } else if (name == "minimum") {
      way_with("number", "exclusiveMaximum", value);
    } else if (name == "exclusiveMinimum") {
      way_with("number", "maximum", value);
    } else if (name == "maximum") {
      way_with("number", "exclusiveMinimum", value);
    } else if (name == "exclusiveMaximum") {
      way_with("number", "minimum", value);
    } else if (name == "required" && value.is_array()) {
      for (const OrderedJson& key : value) {
        expect_schema(key.is_string(), where, "\"required\" is no list of names");
        way_with("object", "properties", {{key.get<std::string>(), false}});
      }
    } else if (name == "properties" && value.is_object()) {
      for (const auto& [key, property] : value.items()) {
        ways.push_back(
            {{"type", "object"}, {"properties", {{key, not_of(property)}}}, {"required", OrderedJson::array({key})}});
      }
    } else if (name == "$ref") {
      ways.push_back(not_of(resolve(value, where)));
    } else if (name == "anyOf") {
      OrderedJson all = OrderedJson::array();
      for (const OrderedJson& one : list_of(schema, name, where)) all.push_back(not_of(one));
      ways.push_back({{"allOf", all}});
    } else if (name == "allOf") {
      for (const OrderedJson& one : list_of(schema, name, where)) ways.push_back(not_of(one));
    } else if (name == "not") {
      ways.push_back(value);
    } else if (name == "if") {
      for (const char* keyword : {"then", "else"}) {
        if (!schema.contains(keyword)) continue;
        const bool holds = std::string_view(keyword) == "then";
        ways.push_back({{"allOf", {holds ? value : not_of(value), not_of(schema.at(keyword))}}});
      }
    } else {
      refuse_schema(where, fmt::format("\"not\" of the keyword \"{}\"", name));
    }
  }
  if (ways.empty()) return false;
  return ways.size() == 1 ? ways[0] : OrderedJson{{"anyOf", ways}};
}

// "#", or a JSON pointer behind it (RFC 6901).
const OrderedJson& SchemaDocument::resolve(const OrderedJson& reference, const std::string& where) const {
  expect_schema(reference.is_string(), where, "\"$ref\" is no text");
  const std::string target = reference.get<std::string>();
  if (target.empty() || target[0] != '#')
    refuse_schema(where, fmt::format("\"$ref\" to \"{}\", outside the schema,", target));
  const OrderedJson* at = &root_;
  std::string_view rest = std::string_view(target).substr(1);
  if (!rest.empty() && rest[0] != '/') refuse_schema(where, fmt::format("\"$ref\" to an anchor, \"{}\",", target));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const size_t size = std::min(rest.find('/'), rest.size());
    const std::string name = unescape(rest.substr(0, size));
    rest.remove_prefix(size);
    const OrderedJson* next = nullptr;
    if (at->is_object() && at->contains(name)) {
      next = &at->at(name);
    } else if (at->is_array()) {
      for (size_t i = 0; i < at->size(); ++i) {
        if (name == std::to_string(i)) next = &(*at)[i];
      }
    }
    expect_schema(next != nullptr, where, "\"$ref\" to \"{}\", which is not there", target);
    at = next;
  }
  return *at;
}

}  // namespace sensorium::text::grammar
