#include "server/routes/route.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/utf8.h"

namespace sensorium::server {
namespace {

struct TypeName {
  uint8_t bit;
  const char* name;
};
constexpr std::array kTypeNames = std::to_array<TypeName>({{kString, "a string"},
                                                           {kInteger, "an integer"},
                                                           {kNumber, "a number"},
                                                           {kBoolean, "true or false"},
                                                           {kArray, "a list"},
                                                           {kObject, "an object"}});

std::string type_names(uint8_t types) {
  std::string names;
  for (const TypeName& type : kTypeNames) {
    if ((types & type.bit) != 0) names += (names.empty() ? "" : " or ") + std::string(type.name);
  }
  return names;
}

uint8_t types_of(const OrderedJson& value) {
  switch (value.type()) {
    case OrderedJson::value_t::string:
      return kString;
    case OrderedJson::value_t::number_integer:
    case OrderedJson::value_t::number_unsigned:
      return kInteger | kNumber;
    case OrderedJson::value_t::number_float:
      return kNumber;
    case OrderedJson::value_t::boolean:
      return kBoolean;
    case OrderedJson::value_t::array:
      return kArray;
    case OrderedJson::value_t::object:
      return kObject;
    default:
      return 0;
  }
}

bool match_path(std::string_view pattern, std::string_view path, std::vector<std::string>& values) {
  values.clear();
  while (!pattern.empty()) {
    if (pattern.front() != '{') {
      if (path.empty() || path.front() != pattern.front()) return false;
      pattern.remove_prefix(1);
      path.remove_prefix(1);
      continue;
    }
    const size_t close = pattern.find('}');
    const bool rest = pattern.substr(0, close).ends_with("...");
    pattern.remove_prefix(close + 1);
    // The last value leaves the text behind its braces; another ends with its segment.
    const bool last = pattern.find('{') == std::string_view::npos;
    if (last && !path.ends_with(pattern)) return false;
    const size_t end = last ? path.size() - pattern.size() : std::min(path.find('/'), path.size());
    const std::string_view value = path.substr(0, end);
    if ((value.empty() && !rest) || (!rest && value.find('/') != std::string_view::npos)) return false;
    values.emplace_back(value);
    path.remove_prefix(end);
  }
  return path.empty();
}

constexpr int kMaxDepth = 100;

// In the order of the text, which is the order that a schema's properties are to come in.
OrderedJson parse_ordered(std::string_view text) {
  const auto check_depth = [](int depth, OrderedJson::parse_event_t, OrderedJson&) {
    if (depth > kMaxDepth)
      throw ApiError(400, fmt::format("the request's body is nested deeper than {} levels", kMaxDepth), "invalid_json");
    return true;
  };
  try {
    return OrderedJson::parse(text.begin(), text.end(), check_depth);
  } catch (const OrderedJson::parse_error& error) {
    throw ApiError(400, fmt::format("the request's body is no valid JSON at byte {}", error.byte), "invalid_json");
  } catch (const OrderedJson::exception&) {
    throw ApiError(400, "the request's body is no valid JSON: a number is out of range", "invalid_json");
  }
}

ApiError wrong(std::string_view name, const std::string& message) {
  return {400, fmt::format("\"{}\" {}", name, message), "invalid_value", std::string(name)};
}

}  // namespace

void Call::send_json(const OrderedJson& json, int status) const {
  exchange->send({.status = status, .body = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)});
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch match;
  for (const Route& route : routes()) {
    if (!match_path(route.path, path, match.values)) continue;
    if (method == route.method || (method == "HEAD" && std::string_view(route.method) == "GET")) {
      match.route = &route;
      return match;
    }
    match.other_method = true;
  }
  match.values.clear();
  return match;
}

OrderedJson read_body(const Request& request, std::span<const Field> fields) {
  if (request.body.empty()) throw ApiError(400, "the request has no body; expected a JSON object");
  if (find_invalid_utf8(request.body) != std::string::npos) throw ApiError(400, "the request's body is no valid UTF-8");
  OrderedJson body = parse_ordered(request.body);
  if (!body.is_object())
    throw ApiError(400, fmt::format("the request's body is {}, expected an object", body.type_name()));
  for (const Field& field : fields) {
    const OrderedJson* value = member(body, field.name);
    if (value == nullptr) {
      if (field.required)
        throw ApiError(400, fmt::format("\"{}\" is missing", field.name), "missing_required_parameter", field.name);
      continue;
    }
    if ((types_of(*value) & field.types) == 0)
      throw wrong(field.name, fmt::format("is {}, expected {}", value->type_name(), type_names(field.types)));
  }
  return body;
}

const OrderedJson* member(const OrderedJson& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string string_or(const OrderedJson& object, std::string_view name, std::string fallback) {
  const OrderedJson* value = member(object, name);
  if (value == nullptr) return fallback;
  if (!value->is_string()) throw wrong(name, "is no string");
  return value->get<std::string>();
}

bool bool_or(const OrderedJson& object, std::string_view name, bool fallback) {
  const OrderedJson* value = member(object, name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) throw wrong(name, "is neither true nor false");
  return value->get<bool>();
}

int64_t integer_or(const OrderedJson& object, std::string_view name, int64_t fallback, int64_t low, int64_t high) {
  const OrderedJson* value = member(object, name);
  if (value == nullptr) return fallback;
  const bool integer = value->is_number_integer() &&
                       (!value->is_number_unsigned() || value->get<uint64_t>() <= std::numeric_limits<int64_t>::max());
  if (!integer || value->get<int64_t>() < low || value->get<int64_t>() > high)
    throw wrong(name, fmt::format("is {}, expected a whole number of {}..{}", value->dump(), low, high));
  return value->get<int64_t>();
}

double number_or(const OrderedJson& object, std::string_view name, double fallback, double low, double high) {
  const OrderedJson* value = member(object, name);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high))
    throw wrong(name, fmt::format("is {}, expected a number of {}..{}",
                                  value->dump(-1, ' ', false, OrderedJson::error_handler_t::replace), low, high));
  return value->get<double>();
}

}  // namespace sensorium::server
