#include "server/routes/tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/routes/api_error.h"
#include "text/grammar/json_schema.h"

namespace sensorium::server {
namespace {

constexpr size_t kMostFunctions = 128, kMostNameBytes = 64;

// "#/$defs/a" in a schema that stands at `place` of a larger one is "#/place/$defs/a" there.
void move_references(OrderedJson& schema, const std::string& place) {
  if (schema.is_array()) {
    for (OrderedJson& item : schema) move_references(item, place);
  }
  if (!schema.is_object()) return;
  for (auto& [key, value] : schema.items()) {
    if (key == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with('#')) {
      value = "#" + place + value.get_ref<const std::string&>().substr(1);
    } else {
      move_references(value, place);
    }
  }
}

}  // namespace

Tools::Tools(std::vector<ToolFunction> functions, Choice choice, const std::string& only)
    : functions_(std::move(functions)), choice_(choice) {
  if (functions_.size() > kMostFunctions)
    throw ApiError(400, fmt::format("there are {} functions, at most {} are taken", functions_.size(), kMostFunctions),
                   "invalid_value", "tools");
  for (size_t i = 0; i < functions_.size(); ++i) {
    const std::string& name = functions_[i].name;
    const bool word = !name.empty() && name.size() <= kMostNameBytes && std::ranges::all_of(name, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
    if (!word) throw ApiError(400, "a function's name is 1 to 64 letters, digits, _, - or .", "invalid_value", "tools");
    for (size_t j = 0; j < i; ++j) {
      if (functions_[j].name == name)
        throw ApiError(400, fmt::format("there are two functions named \"{}\"", name), "invalid_value", "tools");
    }
  }
  if (only.empty()) return;
  std::erase_if(functions_, [&](const ToolFunction& function) { return function.name != only; });
  if (functions_.empty())
    throw ApiError(400, "the function to be called is not among the tools", "invalid_value", "tool_choice");
}

std::string Tools::instructions() const {
  std::string text = "You can call these functions:\n";
  for (const ToolFunction& function : functions_) {
    OrderedJson line{{"name", function.name}};
    if (!function.description.empty()) line["description"] = function.description;
    if (!function.parameters.is_null()) line["parameters"] = function.parameters;
    text += line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  }
  return text + "To call one, answer with nothing but {\"name\": NAME, \"arguments\": {...}}.";
}

std::shared_ptr<const text::grammar::Grammar> Tools::grammar() const {
  if (choice_ != Choice::required || functions_.empty()) return nullptr;
  OrderedJson calls = OrderedJson::array();
  for (const ToolFunction& function : functions_) {
    OrderedJson parameters = function.parameters.is_null() ? OrderedJson{{"type", "object"}} : function.parameters;
    move_references(parameters, fmt::format("/anyOf/{}/properties/arguments", calls.size()));
    calls.push_back({{"type", "object"},
                     {"properties", {{"name", {{"const", function.name}}}, {"arguments", parameters}}},
                     {"required", {"name", "arguments"}},
                     {"additionalProperties", false}});
  }
  Result<text::grammar::Grammar> parsed = text::grammar::parse_json_schema(OrderedJson{{"anyOf", calls}}.dump());
  if (!parsed) throw ApiError(400, "the functions' parameters: " + parsed.error().message(), "invalid_schema", "tools");
  return std::make_shared<const text::grammar::Grammar>(std::move(parsed).value());
}

std::optional<ToolCall> Tools::read_call(std::string_view answer) const {
  if (!offered()) return std::nullopt;
  const Result<Json> parsed = parse_json(answer);
  if (!parsed || !parsed.value().is_object()) return std::nullopt;
  const Json& call = parsed.value();
  const auto name = call.find("name"), arguments = call.find("arguments");
  if (name == call.end() || !name->is_string() || arguments == call.end() || !arguments->is_object())
    return std::nullopt;
  const bool known =
      std::ranges::any_of(functions_, [&](const ToolFunction& function) { return function.name == *name; });
  if (!known) return std::nullopt;
  return ToolCall{name->get<std::string>(), arguments->dump(-1, ' ', false, Json::error_handler_t::replace)};
}

bool Tools::may_be_call(std::string_view beginning) const {
  if (!offered()) return false;
  const size_t first = beginning.find_first_not_of(" \t\r\n");
  return required() || first == std::string_view::npos || beginning[first] == '{';
}

std::string call_text(const ToolCall& call) {
  return fmt::format("{{\"name\": {}, \"arguments\": {}}}",
                     Json(call.name).dump(-1, ' ', false, Json::error_handler_t::replace), call.arguments);
}

}  // namespace sensorium::server
