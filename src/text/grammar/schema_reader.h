// What the keywords of several schemas say together of a value of one type.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/grammar/json_numbers.h"
#include "text/grammar/schema_parts.h"
#include "text/grammar/string_set.h"

namespace sensorium::text::grammar {

enum class JsonType : uint8_t { null, boolean, integer, number, string, array, object };

using SchemaNodes = std::vector<SchemaNode>;

struct StringRule {
  int64_t least = 0, most = GrammarBuilder::kUnlimited;
  std::vector<std::string> patterns, other_patterns;  // that match, that do not
  std::vector<std::string> other_strings;             // that it is not
};

struct ArrayRule {
  int64_t least = 0, most = GrammarBuilder::kUnlimited;
  std::vector<SchemaNodes> first;  // of the items at the beginning
  SchemaNodes rest;                // of every item behind them
  bool distinct = false;           // no two items are the same
};

struct ObjectRule {
  struct Property {
    std::string name;
    SchemaNodes schemas;
    bool required = false;
  };
  std::vector<Property> properties;   // declared or required
  std::vector<std::string> patterns;  // of other names
  bool open = false;                  // whether names that match none of them are written
  SchemaNodes names;                  // what every name must be
  int64_t least = 0, most = GrammarBuilder::kUnlimited;
};

// `nodes` are those of SchemaParts. Throws Error as parse_json_schema.
class SchemaReader {
 public:
  // What "type" and "not" leave; nullopt: any.
  static std::optional<std::vector<JsonType>> types(std::span<const SchemaNode> nodes);
  // The types that are written: those, or the ones that the other keywords speak of; empty: any value.
  static std::vector<JsonType> written_types(std::span<const SchemaNode> nodes);
  // Whether a keyword speaks of the lists, say, that a value may be.
  static bool describes(std::span<const SchemaNode> nodes, JsonType type);
  static bool is_of(const OrderedJson& value, JsonType type);
  // Members of objects in any order.
  static bool same_value(const OrderedJson& a, const OrderedJson& b);
  // Of "enum" or "const", the first of them; nullopt: values are not listed.
  static std::optional<std::vector<const OrderedJson*>> listed(std::span<const SchemaNode> nodes);

  // Values that "not" rules out.
  static std::vector<const OrderedJson*> excluded(std::span<const SchemaNode> nodes);

  static NumberBounds numbers(std::span<const SchemaNode> nodes);
  static StringRule strings(std::span<const SchemaNode> nodes);
  static ArrayRule arrays(std::span<const SchemaNode> nodes);
  ObjectRule objects(std::span<const SchemaNode> nodes);
  // What the value under a name must be; `patterns`: as if exactly these matched it.
  SchemaNodes member(std::span<const SchemaNode> nodes, const std::string& name);
  static SchemaNodes member(std::span<const SchemaNode> nodes, std::span<const std::string> patterns);

  StringSet string_set(const StringRule& rule);
  const StringSet& matching(const std::string& pattern);
  // Whether a value is valid. Of lists and objects only type and listed values are looked at: "maybe" counts as yes.
  bool may_be(const OrderedJson& value, std::span<const SchemaNode> nodes);

 private:
  std::map<std::string, StringSet> patterns_;
};

}  // namespace sensorium::text::grammar
