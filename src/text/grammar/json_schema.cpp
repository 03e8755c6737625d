#include "text/grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/grammar/json_containers.h"
#include "text/grammar/json_numbers.h"
#include "text/grammar/json_strings.h"

namespace sensorium::text::grammar {
namespace {

constexpr int kMostDepth = 200;
constexpr int64_t kMostCount = 1 << 16;

enum class Type : uint8_t { null, boolean, integer, number, string, array, object, none };

struct Keyword {
  std::string_view name;
  Type type;  // of the values that it describes; none: of all
};
constexpr std::array<Keyword, 17> kTyped = {{
    {"properties", Type::object},
    {"required", Type::object},
    {"additionalProperties", Type::object},
    {"items", Type::array},
    {"prefixItems", Type::array},
    {"minItems", Type::array},
    {"maxItems", Type::array},
    {"minLength", Type::string},
    {"maxLength", Type::string},
    {"pattern", Type::string},
    {"format", Type::string},
    {"minimum", Type::number},
    {"maximum", Type::number},
    {"exclusiveMinimum", Type::number},
    {"exclusiveMaximum", Type::number},
    {"type", Type::none},
    {"enum", Type::none},
}};
// Each of these describes the value alone.
constexpr std::array<std::string_view, 5> kAlone = {"$ref", "const", "anyOf", "oneOf", "allOf"};
constexpr std::array<std::string_view, 13> kAnnotations = {
    "title",      "description", "default",   "examples", "$schema",     "$id",    "$comment",
    "deprecated", "readOnly",    "writeOnly", "$defs",    "definitions", "$anchor"};
constexpr std::array<std::string_view, 7> kTypeNames = {"null",   "boolean", "integer", "number",
                                                        "string", "array",   "object"};

template <size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_type(const OrderedJson& value, Type type) {
  switch (type) {
    case Type::null:
      return value.is_null();
    case Type::boolean:
      return value.is_boolean();
    case Type::integer:
      return value.is_number_integer();
    case Type::number:
      return value.is_number();
    case Type::string:
      return value.is_string();
    case Type::array:
      return value.is_array();
    case Type::object:
      return value.is_object();
    case Type::none:
      return false;
  }
  return false;
}

class Compiler {
 public:
  explicit Compiler(const OrderedJson& root) : root_(root) {}

  Grammar compile() { return builder_.build(schema(root_, "#")); }
  Grammar any_object() { return builder_.build(any_value_of(Type::object)); }

 private:
  template <typename... Args>
  static void expect(bool condition, const std::string& where, fmt::format_string<Args...> format, Args&&... args) {
    if (condition) return;
    fail(ErrorKind::usage, "JSON schema, {}: {}", where, fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] static void refuse(const std::string& where, const std::string& what) {
    fail(ErrorKind::unsupported, "JSON schema, {}: {} is not supported", where, what);
  }

  Symbol literal(const OrderedJson& value) { return builder_.literal(value.dump()); }

  Symbol any_value() {
    if (!any_) {
      any_ = builder_.rule();
      for (const Type type : {Type::null, Type::boolean, Type::number, Type::string, Type::array, Type::object}) {
        builder_.add_alternative(*any_, {any_value_of(type)});
      }
    }
    return *any_;
  }
  Symbol any_value_of(Type type) {
    static const OrderedJson nothing = OrderedJson::object();
    return value_of(type, nothing, "#");
  }

  // A schema compiles once, however often it is referred to; it may refer to itself.
  Symbol schema(const OrderedJson& schema, const std::string& where) {
    if (schema.is_boolean()) return schema.get<bool>() ? any_value() : builder_.never();
    expect(schema.is_object(), where, "expected an object or true or false, found {}", schema.type_name());
    const auto known = compiled_.find(&schema);
    if (known != compiled_.end()) return known->second;
    require(++depth_ <= kMostDepth, ErrorKind::limit, "JSON schema, {}: nested deeper than {}", where, kMostDepth);
    const Symbol rule = builder_.rule(where);
    compiled_.emplace(&schema, rule);
    builder_.add_alternative(rule, {body(schema, where)});
    --depth_;
    return rule;
  }

  Symbol body(const OrderedJson& schema, const std::string& where) {
    std::string alone;
    size_t described = 0;  // keywords that say something of the value
    for (const auto& member : schema.items()) {
      const std::string& name = member.key();
      if (among(kAnnotations, name)) continue;
      ++described;
      if (among(kAlone, name)) {
        alone = name;
      } else if (!std::any_of(kTyped.begin(), kTyped.end(), [&](const Keyword& k) { return k.name == name; })) {
        refuse(where, fmt::format("the keyword \"{}\"", name));
      }
    }
    if (!alone.empty()) {
      const bool with_type = alone == "const" && described == 2 && schema.contains("type");
      if (described > 1 && !with_type) refuse(where, fmt::format("another keyword beside \"{}\"", alone));
      if (with_type && !matches_type(schema.at("const"), types_of(schema, where))) return builder_.never();
      return alone_body(alone, schema.at(alone), where);
    }
    const std::vector<Type> types = types_of(schema, where);
    if (schema.contains("enum")) {
      if (described > (schema.contains("type") ? 2u : 1u)) refuse(where, "another keyword beside \"enum\"");
      const OrderedJson& values = schema.at("enum");
      expect(values.is_array(), where, "\"enum\" is no list");
      std::vector<Symbol> choices;
      for (const OrderedJson& value : values) {
        if (types.empty() || matches_type(value, types)) choices.push_back(literal(value));
      }
      return builder_.choice(choices);
    }
    if (types.empty()) return any_value();
    std::vector<Symbol> choices;
    for (const Type type : types) choices.push_back(value_of(type, schema, where));
    return choices.size() == 1 ? choices[0] : builder_.choice(choices);
  }

  Symbol alone_body(const std::string& keyword, const OrderedJson& value, const std::string& where) {
    if (keyword == "const") return literal(value);
    if (keyword == "$ref") {
      expect(value.is_string(), where, "\"$ref\" is no text");
      const std::string target = value.get<std::string>();
      return schema(resolve(target, where), target);
    }
    expect(value.is_array() && !value.empty(), where, "\"{}\" is no list of schemas", keyword);
    if (keyword == "allOf" && value.size() > 1) refuse(where, "\"allOf\" of several schemas");
    std::vector<Symbol> choices;
    for (size_t i = 0; i < value.size(); ++i) {
      choices.push_back(schema(value[i], fmt::format("{}/{}/{}", where, keyword, i)));
    }
    return builder_.choice(choices);
  }

  // "type", or the types that the other keywords speak of; empty: any.
  static std::vector<Type> types_of(const OrderedJson& schema, const std::string& where) {
    std::vector<Type> types;
    const auto add = [&](Type type) {
      if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
    };
    if (schema.contains("type")) {
      const OrderedJson& given = schema.at("type");
      const auto add_named = [&](const OrderedJson& name) {
        const auto* const at = name.is_string()
                                   ? std::find(kTypeNames.begin(), kTypeNames.end(), name.get<std::string>())
                                   : kTypeNames.end();
        expect(at != kTypeNames.end(), where, "{} is no type", name.dump());
        add(static_cast<Type>(at - kTypeNames.begin()));
      };
      if (given.is_array()) {
        for (const OrderedJson& name : given) add_named(name);
        expect(!types.empty(), where, "\"type\" is an empty list");
      } else {
        add_named(given);
      }
      return types;
    }
    for (const Keyword& keyword : kTyped) {
      if (keyword.type != Type::none && schema.contains(keyword.name)) add(keyword.type);
    }
    return types;
  }
  static bool matches_type(const OrderedJson& value, const std::vector<Type>& types) {
    return std::any_of(types.begin(), types.end(), [&](Type type) { return has_type(value, type); });
  }

  // "#", or a JSON pointer behind it (RFC 6901).
  const OrderedJson& resolve(const std::string& target, const std::string& where) const {
    if (target.empty() || target[0] != '#')
      refuse(where, fmt::format("\"$ref\" to \"{}\", outside the schema,", target));
    const OrderedJson* at = &root_;
    std::string_view rest = std::string_view(target).substr(1);
    if (!rest.empty() && rest[0] != '/') refuse(where, fmt::format("\"$ref\" to an anchor, \"{}\",", target));
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
      expect(next != nullptr, where, "\"$ref\" to \"{}\", which is not there", target);
      at = next;
    }
    return *at;
  }
  static std::string unescape(std::string_view name) {
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

  Symbol value_of(Type type, const OrderedJson& schema, const std::string& where) {
    switch (type) {
      case Type::null:
        return builder_.literal("null");
      case Type::boolean:
        return builder_.choice({builder_.literal("true"), builder_.literal("false")});
      case Type::integer:
        return integer_grammar(builder_, bounds(schema, where));
      case Type::number:
        return number_grammar(builder_, bounds(schema, where));
      case Type::string:
        return string_value(schema, where);
      case Type::array:
        return array_value(schema, where);
      default:
        return object_value(schema, where);
    }
  }

  static int64_t count(const OrderedJson& schema, const char* keyword, int64_t otherwise, const std::string& where) {
    if (!schema.contains(keyword)) return otherwise;
    const OrderedJson& value = schema.at(keyword);
    const double number = value.is_number() ? value.get<double>() : -1;
    expect(number >= 0 && number == std::floor(number), where, "\"{}\" is {}, expected a whole number from 0", keyword,
           value.dump());
    require(number <= static_cast<double>(kMostCount), ErrorKind::limit, "JSON schema, {}: \"{}\" is {}, more than {}",
            where, keyword, value.dump(), kMostCount);
    return static_cast<int64_t>(number);
  }

  static NumberBounds bounds(const OrderedJson& schema, const std::string& where) {
    NumberBounds result;
    const auto read = [&](const char* keyword, bool exclusive, bool low) {
      if (!schema.contains(keyword)) return;
      const OrderedJson& value = schema.at(keyword);
      expect(value.is_number(), where, "\"{}\" is {}, expected a number", keyword, value.dump());
      const Decimal decimal = to_decimal(value);
      if (decimal.cut && low != decimal.negative) refuse(where, fmt::format("\"{}\": {}", keyword, value.dump()));
      std::optional<Bound>& bound = low ? result.low : result.high;
      expect(!bound, where, "two bounds on the same side");
      bound = Bound{decimal, exclusive};
    };
    read("minimum", false, true);
    read("exclusiveMinimum", true, true);
    read("maximum", false, false);
    read("exclusiveMaximum", true, false);
    return result;
  }

  Symbol string_value(const OrderedJson& schema, const std::string& where) {
    const bool sized = schema.contains("minLength") || schema.contains("maxLength");
    const bool shaped = schema.contains("pattern") || schema.contains("format");
    if (schema.contains("pattern") && schema.contains("format")) refuse(where, "\"pattern\" beside \"format\"");
    if (sized && shaped) refuse(where, "a length beside \"pattern\" or \"format\"");
    if (shaped) {
      const char* keyword = schema.contains("pattern") ? "pattern" : "format";
      const OrderedJson& given = schema.at(keyword);
      expect(given.is_string(), where, "\"{}\" is {}, expected a text", keyword, given.dump());
      const std::string text = given.get<std::string>();
      const bool format = schema.contains("format");
      const std::string_view pattern = format ? format_pattern(text) : std::string_view(text);
      if (format && pattern.empty()) refuse(where, fmt::format("the format \"{}\"", text));
      try {
        return json_string_matching(builder_, pattern);
      } catch (const Error& error) {
        throw error.with_context("JSON schema, " + where);
      }
    }
    return json_string(builder_, count(schema, "minLength", 0, where),
                       count(schema, "maxLength", GrammarBuilder::kUnlimited, where));
  }

  Symbol array_value(const OrderedJson& schema, const std::string& where) {
    const int64_t least = count(schema, "minItems", 0, where),
                  most = count(schema, "maxItems", GrammarBuilder::kUnlimited, where);
    std::vector<Symbol> first;
    if (schema.contains("prefixItems")) {
      const OrderedJson& items = schema.at("prefixItems");
      expect(items.is_array(), where, "\"prefixItems\" is no list");
      for (size_t i = 0; i < items.size(); ++i) {
        first.push_back(this->schema(items[i], fmt::format("{}/prefixItems/{}", where, i)));
      }
    }
    const Symbol item = schema.contains("items") ? this->schema(schema.at("items"), where + "/items") : any_value();
    return containers_.array(first, item, least, most);
  }

  Symbol object_value(const OrderedJson& schema, const std::string& where) {
    std::vector<std::string> required;
    if (schema.contains("required")) {
      const OrderedJson& given = schema.at("required");
      expect(given.is_array() && std::all_of(given.begin(), given.end(), [](const auto& v) { return v.is_string(); }),
             where, "\"required\" is no list of names");
      for (const OrderedJson& name : given) required.push_back(name.get<std::string>());
    }
    std::vector<JsonContainers::Property> properties;
    if (schema.contains("properties")) {
      const OrderedJson& given = schema.at("properties");
      expect(given.is_object(), where, "\"properties\" is no object");
      for (const auto& [name, value] : given.items()) {
        const bool needed = std::find(required.begin(), required.end(), name) != required.end();
        properties.push_back({name, this->schema(value, fmt::format("{}/properties/{}", where, name)), needed});
      }
    }
    // Where nothing is declared anything may come; where something is, only what additionalProperties says.
    std::optional<Symbol> other;
    if (schema.contains("additionalProperties")) {
      const OrderedJson& given = schema.at("additionalProperties");
      if (given != OrderedJson(false)) other = this->schema(given, where + "/additionalProperties");
    } else if (properties.empty()) {
      other = any_value();
    }
    for (const std::string& name : required) {
      const auto same = [&](const JsonContainers::Property& property) { return property.name == name; };
      if (std::any_of(properties.begin(), properties.end(), same)) continue;
      const bool closed = schema.contains("additionalProperties") && !other;
      properties.push_back({name, closed ? builder_.never() : other.value_or(any_value()), true});
    }
    return containers_.object(properties, other);
  }

  const OrderedJson& root_;
  GrammarBuilder builder_;
  std::map<const OrderedJson*, Symbol> compiled_;
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

Grammar json_object_grammar() {
  static const OrderedJson nothing = OrderedJson::object();
  return Compiler(nothing).any_object();
}

}  // namespace sensorium::text::grammar
