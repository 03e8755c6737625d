#include "server/routes/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/routes/route.h"

namespace sensorium::server {
namespace {

struct TypeName {
  uint8_t bit;
  const char *schema, *text;
};
constexpr std::array kTypes = std::to_array<TypeName>({{kString, "string", "text"},
                                                       {kInteger, "integer", "integer"},
                                                       {kNumber, "number", "number"},
                                                       {kBoolean, "boolean", "true, false"},
                                                       {kArray, "array", "list"},
                                                       {kObject, "object", "object"}});

OrderedJson type_json(uint8_t types) {
  OrderedJson list = OrderedJson::array();
  for (const TypeName& type : kTypes) {
    if ((types & type.bit) != 0) list.push_back(type.schema);
  }
  return list.size() == 1 ? list[0] : list;
}

std::string type_text(uint8_t types) {
  std::string text;
  for (const TypeName& type : kTypes) {
    if ((types & type.bit) != 0) text += (text.empty() ? "" : " or ") + std::string(type.text);
  }
  return text;
}

// "{name...}" is this program's own notation.
std::string plain_path(std::string path) {
  const size_t dots = path.find("...}");
  return dots == std::string::npos ? path : path.erase(dots, 3);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

OrderedJson operation_json(const Route& route) {
  OrderedJson operation{{"tags", OrderedJson::array({route.group})}, {"summary", route.summary}};
  const std::string path = plain_path(route.path);
  for (size_t open = path.find('{'); open != std::string::npos; open = path.find('{', open + 1)) {
    const std::string name = path.substr(open + 1, path.find('}', open) - open - 1);
    operation["parameters"].push_back(
        {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  if (!route.fields.empty()) {
    OrderedJson schema{{"type", "object"}, {"properties", OrderedJson::object()}};
    for (const Field& field : route.fields) {
      schema["properties"][field.name] = {{"type", type_json(field.types)}, {"description", field.help}};
      if (field.required) schema["required"].push_back(field.name);
    }
    operation["requestBody"] = {{"required", true}, {"content", {{"application/json", {{"schema", schema}}}}}};
  }
  const char* const outcome = route.status == 200 ? "done" : "always: no model of this version can do it";
  operation["responses"] = {{std::to_string(route.status), {{"description", outcome}}},
                            {"default", {{"description", "an error in the API's own form"}}}};
  if (route.access == Route::Access::key) operation["security"] = OrderedJson::array({{{"key", OrderedJson::array()}}});
  return operation;
}

}  // namespace

OrderedJson openapi_document() {
  OrderedJson document{{"openapi", "3.1.0"}, {"info", {{"title", "Sensorium"}, {"version", SENSORIUM_VERSION}}}};
  document["components"]["securitySchemes"]["key"] = {{"type", "http"}, {"scheme", "bearer"}};
  document["paths"] = OrderedJson::object();
  for (const Route& route : routes())
    document["paths"][plain_path(route.path)][lower(route.method)] = operation_json(route);
  return document;
}

std::string api_markdown() {
  std::string out =
      "# API\n\nWhat `sensorium serve` answers. This page is made from the table of routes (`sensorium serve "
      "--describe markdown`); a\n"
      "running server gives the same as OpenAPI document under `/openapi.json`. [serving.md](serving.md) says how to "
      "start it.\n\n"
      "A key, where the server has keys, goes into `Authorization: Bearer KEY`, `x-goog-api-key: KEY` or `?key=KEY`. "
      "Members of a\n"
      "request that are not listed are passed over. Errors have the form of the API that a route belongs to.\n";
  std::string group;
  for (const Route& route : routes()) {
    if (group != route.group) out += fmt::format("\n## {}\n", group = route.group);
    out += fmt::format("\n### {} {}\n{}{}\n", route.method, plain_path(route.path), route.summary,
                       route.access == Route::Access::open ? " Needs no key." : "");
    if (route.fields.empty()) continue;
    out += "\n| member | type | |\n|---|---|---|\n";
    for (const Field& field : route.fields) {
      out += fmt::format("| `{}`{} | {} | {} |\n", field.name, field.required ? " (required)" : "",
                         type_text(field.types), field.help);
    }
  }
  return out;
}

}  // namespace sensorium::server
