// JSON schemas taken apart: which schemas hold of a value together, wherever $ref, allOf, anyOf, oneOf, not and if put them.
#pragma once

#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sensorium::text::grammar {

struct SchemaNode {
  const OrderedJson* schema = nullptr;
  std::string where;  // "#/properties/a"
};

// A list of schemas, of which at least one holds (anyOf) or exactly one (oneOf).
struct SchemaChoice {
  const OrderedJson* list = nullptr;
  std::string where;
  bool exclusive = false;
};

// All of these hold of one value.
struct SchemaParts {
  std::vector<SchemaNode>
      nodes;  // of each, the keywords that describe a value by themselves ("not": of enum or pattern)
  std::vector<SchemaChoice> choices;
  bool never = false;

  // What tells these parts from others, whatever their order.
  std::vector<const void*> key() const;
  const std::string& where() const;
};

[[noreturn]] void refuse_schema(const std::string& where, const std::string& what);
template <typename... Args>
void expect_schema(bool condition, const std::string& where, fmt::format_string<Args...> format, Args&&... args) {
  if (condition) return;
  fail(ErrorKind::usage, "JSON schema, {}: {}", where, fmt::format(format, std::forward<Args>(args)...));
}
// A whole number from 0, at most 2^16.
int64_t schema_count(const OrderedJson& schema, const char* keyword, const std::string& where);

class SchemaDocument {
 public:
  explicit SchemaDocument(OrderedJson root) : root_(std::move(root)) {}
  SchemaDocument(const SchemaDocument&) = delete;
  SchemaDocument& operator=(const SchemaDocument&) = delete;

  SchemaNode root() const { return {&root_, "#"}; }
  // Throws Error: usage (no schema), unsupported (names the keyword), limit (nesting).
  SchemaParts parts(std::span<const SchemaNode> schemas);
  // The parts with schema `index` of their first choice in its place.
  SchemaParts choose(const SchemaParts& parts, size_t index);

 private:
  void take(const SchemaNode& node, SchemaParts& parts);
  void take_negation(const SchemaNode& node, SchemaParts& parts);
  void take_condition(const SchemaNode& node, SchemaParts& parts);
  // Two schemas of which one holds wherever "if", "then" and "else" do.
  static OrderedJson conditions(const OrderedJson& schema);
  // A schema that holds where this one does not.
  OrderedJson negation(const OrderedJson& schema, const std::string& where);
  const OrderedJson& resolve(const OrderedJson& reference, const std::string& where) const;

  OrderedJson root_;
  std::deque<OrderedJson> made_;
  std::map<const OrderedJson*, const OrderedJson*> negations_, conditions_;
  std::vector<const OrderedJson*> open_;  // being taken apart
};

}  // namespace sensorium::text::grammar
