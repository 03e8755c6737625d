#include "server/routes/system_routes.h"

#include <fmt/format.h>

#include "server/routes/ask.h"
#include "server/routes/gemini.h"
#include "server/routes/openapi.h"
#include "server/routes/services.h"

namespace sensorium::server {
namespace {

const char* state_name(ModelPool::State state) {
  switch (state) {
    case ModelPool::State::idle:
      return "idle";
    case ModelPool::State::loading:
      return "loading";
    case ModelPool::State::loaded:
      return "loaded";
    case ModelPool::State::failed:
      return "failed";
  }
  return "";
}

OrderedJson model_json(const ModelPool& pool, const std::string& name) {
  OrderedJson json{{"id", name},
                   {"object", "model"},
                   {"created", 0},
                   {"owned_by", "sensorium"},
                   {"state", state_name(pool.state(name))}};
  // Google's newer clients ask under the same path, and read these.
  json.update(gemini_model_json(pool, name));
  if (const auto description = pool.description(name)) json["details"] = *description;
  return json;
}

}  // namespace

void get_health(Call& call) { call.send_json({{"status", "ok"}}); }

void get_ready(Call& call) {
  const ModelPool& pool = call.services.models;
  const bool loaded = pool.state(pool.names().front()) == ModelPool::State::loaded;
  const char* status = call.services.draining() ? "stopping" : loaded ? "ready" : "loading";
  call.send_json({{"status", status}}, loaded && !call.services.draining() ? 200 : 503);
}

void get_version(Call& call) { call.send_json({{"version", SENSORIUM_VERSION}}); }

void get_metrics(Call& call) {
  std::string text = call.services.metrics.text();
  const Listener::Statistics connections = call.services.connections();
  text += fmt::format(
      "# HELP sensorium_connections Open connections\n# TYPE sensorium_connections gauge\nsensorium_connections {}\n"
      "# HELP sensorium_connections_total Connections ever opened\n# TYPE sensorium_connections_total "
      "counter\nsensorium_connections_total {}\n"
      "# HELP sensorium_connections_refused_total Connections refused\n# TYPE sensorium_connections_refused_total "
      "counter\nsensorium_connections_refused_total {}\n"
      "# HELP sensorium_buffered_bytes Bytes of request bodies in memory\n# TYPE sensorium_buffered_bytes "
      "gauge\nsensorium_buffered_bytes {}\n",
      connections.connections, connections.accepted, connections.refused, connections.buffered_bytes);
  call.exchange->send({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = std::move(text)});
}

void get_openapi(Call& call) { call.send_json(openapi_document()); }

void list_models(Call& call) {
  OrderedJson data = OrderedJson::array();
  for (const std::string& name : call.services.models.names()) data.push_back(model_json(call.services.models, name));
  call.send_json({{"object", "list"}, {"data", data}, {"models", data}});
}

void get_model(Call& call) {
  const std::string& name = call.values[0];
  if (!call.services.models.has(name))
    throw ApiError(404, fmt::format("there is no model \"{}\" here", name), "model_not_found", "model");
  call.send_json(model_json(call.services.models, name));
}

}  // namespace sensorium::server
