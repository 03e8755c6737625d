#include "text/grammar/json_schema.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/grammar/json_containers.h"
#include "text/grammar/json_numbers.h"
#include "text/grammar/json_strings.h"
#include "text/grammar/schema_disjoint.h"
#include "text/grammar/schema_parts.h"
#include "text/grammar/schema_reader.h"
#include "text/grammar/schema_values.h"

namespace sensorium::text::grammar {
namespace {

constexpr int kMostDepth = 200;
constexpr size_t kMostPatterns = 6;  // of one object: their 64 combinations are told apart

class Compiler {
 public:
  explicit Compiler(OrderedJson root) : document_(std::move(root)) {}

  Grammar compile() {
    const SchemaNode root = document_.root();
    return builder_.build(schema({&root, 1}));
  }
  Grammar any_object() { return builder_.build(value_of(JsonType::object, {})); }

 private:
  Symbol literal(const OrderedJson& value) { return builder_.literal(value.dump()); }

  Symbol any_value() {
    if (!any_) {
      any_ = builder_.rule();
      for (const JsonType type :
           {JsonType::null, JsonType::boolean, JsonType::number, JsonType::string, JsonType::array, JsonType::object}) {
        builder_.add_alternative(*any_, {value_of(type, {})});
      }
    }
    return *any_;
  }

  Symbol schema(std::span<const SchemaNode> schemas) { return value(document_.parts(schemas)); }

  // The same parts compile once, however often they are referred to; they may refer to themselves.
  Symbol value(const SchemaParts& parts) {
    if (parts.never) return builder_.never();
    if (parts.nodes.empty() && parts.choices.empty()) return any_value();
    std::vector<const void*> key = parts.key();
    const auto known = compiled_.find(key);
    if (known != compiled_.end()) return known->second;
    require(++depth_ <= kMostDepth, ErrorKind::limit, "JSON schema, {}: nested deeper than {}", parts.where(),
            kMostDepth);
    const Symbol rule = builder_.rule(parts.where());
    compiled_.emplace(std::move(key), rule);
    builder_.add_alternative(rule, {parts.choices.empty() ? plain_value(parts.nodes) : chosen_value(parts)});
    --depth_;
    return rule;
  }

  Symbol chosen_value(const SchemaParts& parts) {
    std::vector<SchemaParts> chosen;
    const SchemaChoice& choice = parts.choices.front();
    for (size_t i = 0; i < choice.list->size(); ++i) chosen.push_back(document_.choose(parts, i));
    for (size_t i = 0; choice.exclusive && i < chosen.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        const bool apart =
            at_place(choice.where, [&] { return are_disjoint(document_, reader_, chosen[j], chosen[i]); });
        if (!apart) {
          refuse_schema(choice.where,
                        fmt::format("\"oneOf\" whose schemas {} and {} may both hold (\"anyOf\" allows it)", j, i));
        }
      }
    }
    std::vector<Symbol> choices;
    for (const SchemaParts& one : chosen) choices.push_back(value(one));
    return builder_.choice(choices);
  }

  Symbol plain_value(const SchemaNodes& nodes) {
    std::vector<Symbol> choices;
    if (SchemaReader::listed(nodes)) {
      for (const OrderedJson& value : values_.listed(nodes)) choices.push_back(literal(value));
      return builder_.choice(choices);
    }
    const std::vector<JsonType> types = SchemaReader::written_types(nodes);
    if (types.empty() && !SchemaReader::types(nodes)) return any_value();
    for (const JsonType type : types) choices.push_back(value_of(type, nodes));
    return choices.size() == 1 ? choices[0] : builder_.choice(choices);
  }

  Symbol value_of(JsonType type, const SchemaNodes& nodes) {
    const std::string where = nodes.empty() ? "#" : nodes[0].where;
    const auto listed = SchemaReader::excluded(nodes);
    const bool left_out = std::any_of(listed.begin(), listed.end(),
                                      [&](const OrderedJson* value) { return SchemaReader::is_of(*value, type); });
    switch (type) {
      case JsonType::null:
        return left_out ? builder_.never() : builder_.literal("null");
      case JsonType::boolean: {
        std::vector<Symbol> choices;
        for (const bool value : {true, false}) {
          if (reader_.may_be(value, nodes)) choices.push_back(literal(value));
        }
        return builder_.choice(choices);
      }
      case JsonType::string:
        return at_place(where, [&] { return string_value(SchemaReader::strings(nodes)); });
      default:
        break;
    }
    if (left_out) refuse_schema(where, "\"not\" of listed numbers, lists or objects beside others");
    switch (type) {
      case JsonType::integer:
        return at_place(where, [&] { return integer_grammar(builder_, SchemaReader::numbers(nodes)); });
      case JsonType::number:
        return at_place(where, [&] { return number_grammar(builder_, SchemaReader::numbers(nodes)); });
      case JsonType::array:
        return array_value(SchemaReader::arrays(nodes), where);
      default:
        return object_value(nodes);
    }
  }

  Symbol string_value(const StringRule& rule) {
    const bool sized = rule.least > 0 || rule.most != GrammarBuilder::kUnlimited;
    const size_t shapes = rule.patterns.size() + rule.other_patterns.size() + rule.other_strings.size();
    if (shapes == 0) return json_string(builder_, rule.least, rule.most);
    if (shapes == 1 && !rule.patterns.empty() && !sized) return json_string_matching(builder_, rule.patterns[0]);
    return reader_.string_set(rule).json(builder_);
  }

  Symbol array_value(const ArrayRule& rule, const std::string& where) {
    std::vector<Symbol> first;
    for (const SchemaNodes& schemas : rule.first) first.push_back(schema(schemas));
    const Symbol rest = schema(rule.rest);
    if (!rule.distinct || values_.items_exclude_each_other(rule))
      return containers_.array(first, rest, rule.least, rule.most);
    const auto values = first.empty() ? values_.all(document_.parts(rule.rest)) : std::nullopt;
    if (!values || values->size() > JsonContainers::kMostDistinct) {
      refuse_schema(
          where, fmt::format("\"uniqueItems\" of items that are not at most {} listed values, nor exclude each other,",
                             JsonContainers::kMostDistinct));
    }
    std::vector<Symbol> items;
    for (const OrderedJson& value : *values) items.push_back(literal(value));
    return containers_.distinct(items, rule.least, rule.most);
  }

  Symbol object_value(const SchemaNodes& nodes) {
    const std::string where = nodes.empty() ? "#" : nodes[0].where;
    const ObjectRule rule = at_place(where, [&] { return reader_.objects(nodes); });
    std::optional<StringSet> allowed;
    if (!rule.names.empty()) allowed = at_place(where, [&] { return values_.names(document_.parts(rule.names)); });
    std::vector<JsonContainers::Property> properties;
    std::vector<std::string> names;
    for (const ObjectRule::Property& property : rule.properties) {
      const bool may_come = !allowed || allowed->contains(property.name);
      properties.push_back({property.name, may_come ? schema(property.schemas) : builder_.never(), property.required});
      names.push_back(property.name);
    }
    const std::vector<JsonContainers::Others> others = other_members(nodes, rule, names, allowed, where);
    if (!others.empty() && rule.least > static_cast<int64_t>(names.size()) + 1) {
      refuse_schema(where,
                    fmt::format("\"minProperties\" of {} where {} properties are declared", rule.least, names.size()));
    }
    return containers_.object(properties, others, rule.least, rule.most);
  }

  // What members that are not declared may be.
  std::vector<JsonContainers::Others> other_members(const SchemaNodes& nodes, const ObjectRule& rule,
                                                    const std::vector<std::string>& names,
                                                    const std::optional<StringSet>& allowed, const std::string& where) {
    std::vector<JsonContainers::Others> others;
    if (rule.patterns.empty() && !allowed) {
      const SchemaNodes schemas = SchemaReader::member(nodes, std::span<const std::string>());
      if (rule.open && !document_.parts(schemas).never) {
        others.push_back({json_string_except(builder_, names), schema(schemas)});
      }
      return others;
    }
    if (rule.patterns.size() > kMostPatterns) {
      refuse_schema(where, fmt::format("an object with more than {} \"patternProperties\"", kMostPatterns));
    }
    // Names by the patterns that they match: their values must be all that these say.
    const StringSet free = at_place(where, [&] {
      const StringSet undeclared = StringSet::of(names).complement();
      return allowed ? undeclared.intersection(*allowed) : undeclared;
    });
    for (size_t some = rule.open ? 0 : 1; some < size_t{1} << rule.patterns.size(); ++some) {
      std::vector<std::string> matched;
      StringSet keys = free;
      for (size_t i = 0; i < rule.patterns.size(); ++i) {
        const bool matches = (some >> i & 1) != 0;
        if (matches) matched.push_back(rule.patterns[i]);
        keys = at_place(where, [&] {
          const StringSet& set = reader_.matching(rule.patterns[i]);
          return keys.intersection(matches ? set : set.complement());
        });
      }
      const SchemaNodes schemas = SchemaReader::member(nodes, matched);
      if (!keys.empty() && !document_.parts(schemas).never) others.push_back({keys.json(builder_), schema(schemas)});
    }
    return others;
  }

  SchemaDocument document_;
  SchemaReader reader_;
  SchemaValues values_{document_, reader_};
  GrammarBuilder builder_;
  std::map<std::vector<const void*>, Symbol> compiled_;
  JsonContainers containers_{builder_};
  std::optional<Symbol> any_;
  int depth_ = 0;
};

}  // namespace

Result<Grammar> parse_json_schema(std::string_view text) {
  constexpr size_t kMostBytes = size_t{1} << 20;
  if (text.size() > kMostBytes) {
    return Error(ErrorKind::limit, fmt::format("the JSON schema has {} bytes, more than {}", text.size(), kMostBytes));
  }
  const Result<Json> checked = parse_json(text);
  if (!checked) return checked.error().with_context("JSON schema");
  try {
    return Compiler(OrderedJson::parse(text)).compile();
  } catch (const Error& error) {
    return error;
  }
}

Grammar json_object_grammar() { return Compiler(OrderedJson::object()).any_object(); }

}  // namespace sensorium::text::grammar
