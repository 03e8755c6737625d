// Whether a value is valid under a JSON schema, said by plain rules: the oracle of the grammars made of schemas.
#pragma once

#include <cmath>
#include <regex>
#include <set>
#include <string>

#include "base/json.h"
#include "base/utf8.h"

namespace sensorium::text::grammar {

class SchemaCheck {
 public:
  explicit SchemaCheck(Json root) : root_(std::move(root)) {}
  bool valid(const Json& value) const { return valid(root_, value); }

 private:
  static bool is(const Json& value, const std::string& type) {
    if (type == "integer") {
      return value.is_number() && std::floor(value.get<double>()) == value.get<double>();
    }
    return type == "number" ? value.is_number() : type == value.type_name();
  }
  static int64_t characters(const std::string& text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  }

  bool valid(const Json& schema, const Json& value) const {
    if (schema.is_boolean()) return schema.get<bool>();
    const auto all_of = [&](const char* key, auto&& check) { return !schema.contains(key) || check(schema.at(key)); };
    bool good = all_of("$ref", [&](const Json& ref) {
      return valid(root_.at(Json::json_pointer(ref.get<std::string>().substr(1))), value);
    });
    const auto count = [&](const Json& list) {
      return static_cast<size_t>(
          std::count_if(list.begin(), list.end(), [&](const Json& one) { return valid(one, value); }));
    };
    good = good && all_of("anyOf", [&](const Json& list) { return count(list) > 0; }) &&
           all_of("oneOf", [&](const Json& list) { return count(list) == 1; }) &&
           all_of("allOf", [&](const Json& list) { return count(list) == list.size(); }) &&
           all_of("not", [&](const Json& one) { return !valid(one, value); }) && all_of("if", [&](const Json& one) {
             const char* branch = valid(one, value) ? "then" : "else";
             return !schema.contains(branch) || valid(schema.at(branch), value);
           });
    good = good && all_of("const", [&](const Json& one) { return value == one; });
    good = good &&
           all_of("enum", [&](const Json& list) { return std::find(list.begin(), list.end(), value) != list.end(); });
    good = good && all_of("type", [&](const Json& type) {
             if (type.is_string()) return is(value, type);
             return std::any_of(type.begin(), type.end(), [&](const Json& one) { return is(value, one); });
           });
    if (value.is_number()) {
      const double x = value.get<double>();
      good = good && all_of("minimum", [&](const Json& b) { return x >= b.get<double>(); }) &&
             all_of("maximum", [&](const Json& b) { return x <= b.get<double>(); }) &&
             all_of("exclusiveMinimum", [&](const Json& b) { return x > b.get<double>(); }) &&
             all_of("exclusiveMaximum", [&](const Json& b) { return x < b.get<double>(); }) &&
             all_of("multipleOf", [&](const Json& step) {
               const double times = x / step.get<double>();
               return std::abs(times - std::round(times)) < 1e-6 * std::max(1.0, std::abs(times));
             });
    }
    if (value.is_string()) {
      const auto text = value.get<std::string>();
      good =
          good && all_of("minLength", [&](const Json& n) { return characters(text) >= n.get<int64_t>(); }) &&
          all_of("maxLength", [&](const Json& n) { return characters(text) <= n.get<int64_t>(); }) &&
          all_of("pattern", [&](const Json& p) { return std::regex_search(text, std::regex(p.get<std::string>())); });
    }
    if (value.is_array()) {
      const auto size = static_cast<int64_t>(value.size());
      good = good && all_of("minItems", [&](const Json& n) { return size >= n.get<int64_t>(); }) &&
             all_of("maxItems", [&](const Json& n) { return size <= n.get<int64_t>(); }) &&
             all_of("uniqueItems", [&](const Json& on) {
               return !on.get<bool>() || std::set<Json>(value.begin(), value.end()).size() == value.size();
             });
      const size_t before = schema.contains("prefixItems") ? schema.at("prefixItems").size() : 0;
      for (size_t i = 0; i < value.size() && good; ++i) {
        if (i < before) {
          good = valid(schema.at("prefixItems")[i], value[i]);
        } else {
          good = all_of("items", [&](const Json& items) { return valid(items, value[i]); });
        }
      }
    }
    if (value.is_object()) {
      good = good && all_of("required", [&](const Json& names) {
               return std::all_of(names.begin(), names.end(),
                                  [&](const Json& name) { return value.contains(name.get<std::string>()); });
             });
      const auto size = static_cast<int64_t>(value.size());
      good = good && all_of("minProperties", [&](const Json& n) { return size >= n.get<int64_t>(); }) &&
             all_of("maxProperties", [&](const Json& n) { return size <= n.get<int64_t>(); });
      for (const auto& [name, member] : value.items()) {
        bool declared = false;
        good = good && all_of("propertyNames", [&, &key = name](const Json& names) { return valid(names, key); });
        if (schema.contains("properties") && schema.at("properties").contains(name)) {
          declared = true;
          good = good && valid(schema.at("properties").at(name), member);
        }
        if (schema.contains("patternProperties")) {
          for (const auto& [pattern, of_these] : schema.at("patternProperties").items()) {
            if (!std::regex_search(name, std::regex(pattern))) continue;
            declared = true;
            good = good && valid(of_these, member);
          }
        }
        if (!declared && schema.contains("additionalProperties")) {
          good = good && valid(schema.at("additionalProperties"), member);
        }
      }
    }
    return good;
  }
  Json root_;
};

}  // namespace sensorium::text::grammar
