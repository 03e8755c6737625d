#include "server/routes/gemini_schema.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>

namespace sensorium::server {
namespace {

// 64-bit numbers, which this notation writes as texts.
constexpr std::array<std::string_view, 6> kCounts = {"minItems",  "maxItems",      "minLength",
                                                     "maxLength", "minProperties", "maxProperties"};
constexpr std::array<std::string_view, 3> kFormats = {"date-time", "date", "time"};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The keywords come in snake_case too.
std::string camel_case(const std::string& key) {
  std::string out;
  for (size_t i = 0; i < key.size(); ++i) {
    const bool joint = key[i] == '_' && i > 0 && i + 1 < key.size();
    out += joint ? static_cast<char>(std::toupper(static_cast<unsigned char>(key[++i]))) : key[i];
  }
  return out;
}

const OrderedJson* ordering_of(const OrderedJson& schema) {
  for (const char* name : {"propertyOrdering", "property_ordering"}) {
    if (schema.contains(name) && schema[name].is_array()) return &schema[name];
  }
  return nullptr;
}

OrderedJson properties_of(const OrderedJson& schema) {
  const OrderedJson& given = schema.at("properties");
  OrderedJson out = OrderedJson::object();
  if (!given.is_object()) return out;
  if (const OrderedJson* ordering = ordering_of(schema)) {
    for (const OrderedJson& name : *ordering) {
      if (name.is_string() && given.contains(name.get<std::string>()))
        out[name.get<std::string>()] = json_schema_of_gemini(given[name.get<std::string>()]);
    }
  }
  for (const auto& [name, value] : given.items()) {
    if (!out.contains(name)) out[name] = json_schema_of_gemini(value);
  }
  return out;
}

}  // namespace

OrderedJson json_schema_of_gemini(const OrderedJson& schema) {
  if (!schema.is_object()) return schema;
  OrderedJson out = OrderedJson::object();
  for (const auto& [given, value] : schema.items()) {
    const std::string key = camel_case(given);
    if (key == "type" && value.is_string()) {
      const std::string type = lower(value.get<std::string>());
      const bool nullable = schema.value("nullable", OrderedJson(false)) == true;
      if (type != "type_unspecified") out["type"] = nullable ? OrderedJson{type, "null"} : OrderedJson(type);
    } else if (key == "properties") {
      out["properties"] = properties_of(schema);
    } else if (key == "items") {
      out["items"] = json_schema_of_gemini(value);
    } else if (key == "anyOf" && value.is_array()) {
      out["anyOf"] = OrderedJson::array();
      for (const OrderedJson& one : value) out["anyOf"].push_back(json_schema_of_gemini(one));
    } else if (std::ranges::find(kCounts, key) != kCounts.end()) {
      OrderedJson count = value;
      if (value.is_string()) {
        const std::string& text = value.get_ref<const std::string&>();
        int64_t number = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) count = number;
      }
      out[key] = count;
    } else if (key == "format") {
      // "int32", "float", "enum" say nothing that the type does not.
      if (value.is_string() && std::ranges::find(kFormats, value.get_ref<const std::string&>()) != kFormats.end())
        out[key] = value;
    } else if (key != "nullable" && key != "propertyOrdering") {
      out[key] = value;
    }
  }
  return out;
}

}  // namespace sensorium::server
