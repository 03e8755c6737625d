#include "text/grammar/schema_values.h"

#include <algorithm>

#include "text/grammar/schema_disjoint.h"

namespace sensorium::text::grammar {

std::vector<OrderedJson> SchemaValues::listed(const SchemaNodes& nodes) {
  const std::string& where = nodes[0].where;
  std::vector<OrderedJson> valid;
  const auto given = SchemaReader::listed(nodes);
  for (const OrderedJson* value : given.value()) {
    const JsonType type = value->is_array() ? JsonType::array : JsonType::object;
    if (value->is_structured() && SchemaReader::describes(nodes, type)) {
      refuse_schema(where, "a list or object in \"enum\" or \"const\" beside keywords that describe it");
    }
    if (at_place(where, [&] { return reader_.may_be(*value, nodes); })) valid.push_back(*value);
  }
  return valid;
}

std::optional<std::vector<OrderedJson>> SchemaValues::all(const SchemaParts& parts) {
  std::vector<OrderedJson> values;
  if (parts.never) return values;
  const auto add = [&](const OrderedJson& value) {
    const auto same = [&](const OrderedJson& known) { return SchemaReader::same_value(known, value); };
    if (std::none_of(values.begin(), values.end(), same)) values.push_back(value);
  };
  if (!parts.choices.empty()) {
    for (size_t i = 0; i < parts.choices.front().list->size(); ++i) {
      const auto own = all(document_.choose(parts, i));
      if (!own) return std::nullopt;
      for (const OrderedJson& value : *own) add(value);
    }
    return values;
  }
  if (SchemaReader::listed(parts.nodes)) {
    for (const OrderedJson& value : listed(parts.nodes)) add(value);
    return values;
  }
  const std::vector<JsonType> types = SchemaReader::written_types(parts.nodes);
  if (types.empty()) return std::nullopt;
  for (const JsonType type : types) {
    if (type != JsonType::null && type != JsonType::boolean) return std::nullopt;
    for (const OrderedJson& value : {OrderedJson(nullptr), OrderedJson(true), OrderedJson(false)}) {
      if (SchemaReader::is_of(value, type) && reader_.may_be(value, parts.nodes)) add(value);
    }
  }
  return values;
}

bool SchemaValues::items_exclude_each_other(const ArrayRule& rule) {
  std::vector<SchemaParts> items;
  for (const SchemaNodes& schemas : rule.first) items.push_back(document_.parts(schemas));
  const SchemaParts rest = document_.parts(rule.rest);
  const auto before = static_cast<int64_t>(items.size());
  if (!rest.never && (rule.most == GrammarBuilder::kUnlimited || rule.most > before + 1)) return false;
  if (!rest.never && rule.most == before + 1) items.push_back(rest);
  if (rule.most != GrammarBuilder::kUnlimited && rule.most < before) items.resize(static_cast<size_t>(rule.most));
  for (size_t i = 0; i < items.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!are_disjoint(document_, reader_, items[j], items[i])) return false;
    }
  }
  return true;
}

StringSet SchemaValues::names(const SchemaParts& parts) {
  const StringSet none = StringSet::all().complement();
  if (parts.never) return none;
  if (!parts.choices.empty()) {
    StringSet some = none;
    const SchemaChoice& choice = parts.choices.front();
    for (size_t i = 0; i < choice.list->size(); ++i) {
      const StringSet own = names(document_.choose(parts, i));
      if (choice.exclusive && !some.intersection(own).empty()) {
        refuse_schema(choice.where, "\"oneOf\" of names of which some are valid twice");
      }
      some = some.complement().intersection(own.complement()).complement();
    }
    return some;
  }
  if (parts.nodes.empty()) return StringSet::all();
  if (SchemaReader::listed(parts.nodes)) {
    std::vector<std::string> names;
    for (const OrderedJson& value : listed(parts.nodes)) {
      if (value.is_string()) names.push_back(value.get<std::string>());
    }
    return StringSet::of(names);
  }
  const auto types = SchemaReader::types(parts.nodes);
  if (types && std::find(types->begin(), types->end(), JsonType::string) == types->end()) return none;
  return reader_.string_set(SchemaReader::strings(parts.nodes));
}

}  // namespace sensorium::text::grammar
