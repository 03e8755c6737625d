// The table of routes. What a route reads from a request's body stands in its table of fields, which the reader checks
// requests by and from which the OpenAPI document and docs/api.md are made.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/http/exchange.h"
#include "server/routes/api_error.h"

namespace sensorium::server {

struct Services;

// JSON types, as bits: a field may be of several.
enum FieldType : uint8_t {
  kString = 1,
  kInteger = 2,
  kNumber = 4,
  kBoolean = 8,
  kArray = 16,
  kObject = 32,
};
struct Field {
  const char* name;
  uint8_t types;
  bool required;
  const char* help;
};

// A request on its way through a handler.
struct Call {
  Services& services;
  std::shared_ptr<Exchange> exchange;
  std::vector<std::string> values;  // of the braces in the route's path
  std::string client;               // whose turn it is when requests wait
  OrderedJson body;                 // of routes with fields; an object whose members have the fields' types

  const Request& request() const { return exchange->request(); }
  void send_json(const OrderedJson& json, int status = 200) const;
};

struct Route {
  enum class Access : uint8_t { open, key };
  // `loop`: answers at once, on the thread of all connections, also while everything else is busy.
  enum class Place : uint8_t { loop, worker };

  const char* method;
  const char* path;  // "/v1/models/{model}"; a last "{name...}" takes the rest, slashes included
  Access access;
  Place place;
  Dialect dialect;
  const char* group;  // a heading of the documentation
  const char* summary;
  std::span<const Field> fields;
  // Answers, or hands the exchange on to whoever will. Throws Error.
  void (*handle)(Call& call);
  // What it answers to a request with which nothing is wrong.
  int status = 200;
};
std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> values;
  bool other_method = false;  // without a route: the path is known with another method
};
// HEAD finds the route of GET.
RouteMatch find_route(std::string_view method, std::string_view path);

// Parses a request's body and checks it by the fields; members that no field names are passed over, as clients send many.
// Throws ApiError that names the member.
OrderedJson read_body(const Request& request, std::span<const Field> fields);

// A member's value, if it is there and not null.
const OrderedJson* member(const OrderedJson& object, std::string_view name);
std::string string_or(const OrderedJson& object, std::string_view name, std::string fallback);
bool bool_or(const OrderedJson& object, std::string_view name, bool fallback);
// Throw ApiError that names the member: of another type, or outside low..high.
int64_t integer_or(const OrderedJson& object, std::string_view name, int64_t fallback, int64_t low, int64_t high);
double number_or(const OrderedJson& object, std::string_view name, double fallback, double low, double high);

}  // namespace sensorium::server
