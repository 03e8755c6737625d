// A whole server around a tiny model with random weights, for tests.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/base64.h"
#include "media/encode.h"
#include "models/sensorium/chat.h"
#include "models/tiny_model.h"
#include "server/http_client.h"
#include "server/server.h"

namespace sensorium::server {

// One model in memory behind any number of names.
inline std::unique_ptr<models::Model> shared_tiny_model() {
  static const std::unique_ptr<models::SensoriumModel> model = [] {
    models::SensoriumConfig config = models::tiny_config();
    config.decoder.context = 640;
    return models::tiny_model(1, config);
  }();
  return models::wrap_sensorium(*model, DType::f32);
}

inline ServerOptions tiny_options() {
  ServerOptions options;
  options.listener.port = 0;
  options.models = {{.name = "tiny"}};
  options.load = [](const ModelSource& source) {
    require(source.name != "broken", ErrorKind::not_found, "/secret/place: no such model");
    return shared_tiny_model();
  };
  options.defaults.max_tokens = 12;
  // Random weights would end answers at once: with the end token, or with a box that no picture holds.
  for (int32_t token = 0; token < models::tiny_tokenizer()->vocab_size(); ++token) {
    if (models::tiny_tokenizer()->is_control(token)) options.defaults.sampling.logit_bias.emplace_back(token, -100.0f);
  }
  options.log_requests = false;
  options.grace = std::chrono::seconds(10);
  return options;
}

class RunningServer {
 public:
  explicit RunningServer(ServerOptions options = tiny_options())
      : server_(std::move(options)), thread_([this] { server_.run(); }) {
    EXPECT_TRUE(eventually([&] { return ask_once(port(), "GET", "/ready").status == 200; }));
  }
  ~RunningServer() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }
  int port() const { return server_.port(); }
  Server& server() { return server_; }

  Answer post(const std::string& path, const Json& body, const std::string& headers = {}) const {
    return ask_once(port(), "POST", path, body.dump(), headers);
  }
  Answer chat(const Json& more = Json::object(), const std::string& text = "how many dogs?") const {
    return post("/v1/chat/completions", chat_body(more, text));
  }
  static Json chat_body(const Json& more = Json::object(), const std::string& text = "how many dogs?") {
    Json body = {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", text}}}}};
    if (more.is_object()) body.update(more);
    return body;
  }
  double metric(const std::string& name) const {
    const std::string text = ask_once(port(), "GET", "/metrics").body;
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

 private:
  Server server_;
  std::thread thread_;
};

// The events of a stream, without the last, which is "[DONE]".
inline std::vector<Json> events_of(const Answer& answer) {
  std::vector<Json> events;
  bool done = false;
  for (size_t at = 0; at < answer.body.size();) {
    const size_t end = answer.body.find("\n\n", at);
    const std::string line = answer.body.substr(at, end - at);
    EXPECT_TRUE(line.starts_with("data: ")) << line;
    EXPECT_FALSE(done) << "more behind [DONE]";
    done = line == "data: [DONE]";
    if (!done) events.push_back(parse_json(line.substr(6)).value());
    at = end == std::string::npos ? answer.body.size() : end + 2;
  }
  EXPECT_TRUE(done) << answer.body;
  EXPECT_TRUE(answer.complete);
  return events;
}

inline std::string picture_url(uint64_t seed = 1) {
  return "data:image/png;base64," + base64_encode(media::encode_png(models::tiny_image(seed, 64, 48)));
}

inline std::string error_message(const Answer& answer) {
  return answer.json().at("error").at("message").get<std::string>();
}

}  // namespace sensorium::server
