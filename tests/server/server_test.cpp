// The server as a whole: who may come in, what happens under load, and how it ends.
#include <gtest/gtest.h>

#include <future>

#include "server/routes/route.h"
#include "server/running_server.h"

namespace sensorium::server {
namespace {

using namespace std::chrono_literals;

TEST(ServerOperation, SaysHowItIs) {
  const RunningServer server;
  EXPECT_EQ(ask_once(server.port(), "GET", "/health").json().at("status"), "ok");
  EXPECT_EQ(ask_once(server.port(), "GET", "/ready").json().at("status"), "ready");
  EXPECT_TRUE(ask_once(server.port(), "GET", "/version").json().contains("version"));
  EXPECT_EQ(ask_once(server.port(), "GET", "/openapi.json").json().at("openapi"), "3.1.0");
  EXPECT_EQ(ask_once(server.port(), "GET", "/nothing").status, 404);
  EXPECT_EQ(ask_once(server.port(), "DELETE", "/health").status, 405);
  const Json models = ask_once(server.port(), "GET", "/v1/models").json();
  EXPECT_EQ(models.at("data").at(0).at("id"), "tiny");
  EXPECT_EQ(models.at("data").at(0).at("state"), "loaded");
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/models/tiny").json().at("details").at("family"), "sensorium");
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/models/other").status, 404);
  server.chat();
  EXPECT_EQ(server.metric("sensorium_jobs_done_total"), 1);
  EXPECT_EQ(server.metric("sensorium_generated_tokens_total"), 12);
}

TEST(ServerOperation, KeysAreNeededWhereThereAreKeys) {
  ServerOptions options = tiny_options();
  options.gate.keys = {{.name = "ann", .digest = sha256(std::string_view("secret"))}};
  const RunningServer server(std::move(options));
  EXPECT_EQ(ask_once(server.port(), "GET", "/health").status, 200);
  for (const Route& route : routes()) {
    if (route.access == Route::Access::open) continue;
    std::string path = route.path;
    for (size_t open; (open = path.find('{')) != std::string::npos;) path.replace(open, path.find('}') - open + 1, "x");
    const Answer answer = ask_once(server.port(), route.method, path, std::string(route.method) == "GET" ? "" : "{}");
    EXPECT_EQ(answer.status, 401) << route.method << " " << path;
    EXPECT_EQ(answer.headers.at("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/models", "", "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(ask_once(server.port(), "GET", "/v1/models", "", "Authorization: Bearer secret\r\n").status, 200);
}

TEST(ServerOperation, ModelsAreLoadedOnDemandAndFailWithoutPaths) {
  ServerOptions options = tiny_options();
  options.models = {{.name = "tiny"}, {.name = "second"}, {.name = "broken"}};
  const RunningServer server(std::move(options));
  const auto state = [&](const std::string& name) {
    return ask_once(server.port(), "GET", "/v1/models/" + name).json().at("state");
  };
  EXPECT_EQ(state("second"), "idle");
  EXPECT_EQ(server.chat({{"model", "second"}}).status, 200);
  EXPECT_EQ(state("second"), "loaded");
  for (int i = 0; i < 2; ++i) {
    const Answer broken = server.chat({{"model", "broken"}});
    EXPECT_EQ(broken.status, 500);
    EXPECT_EQ(broken.body.find("secret"), std::string::npos) << broken.body;
  }
  EXPECT_EQ(server.chat().status, 200);
}

TEST(ServerOperation, RarelyUsedModelsMakeRoom) {
  ServerOptions options = tiny_options();
  options.models = {{.name = "tiny"}, {.name = "second"}, {.name = "third"}};
  options.pool.max_loaded = 2;
  const RunningServer server(std::move(options));
  EXPECT_EQ(server.chat({{"model", "second"}}).status, 200);
  EXPECT_EQ(server.chat({{"model", "third"}}).status, 200);
  int loaded = 0;
  const Json listed = ask_once(server.port(), "GET", "/v1/models").json().at("data");
  for (const Json& model : listed) loaded += model.at("state") == "loaded" ? 1 : 0;
  EXPECT_EQ(loaded, 2);
  EXPECT_EQ(server.chat().status, 200);
}

TEST(ServerLoad, ManyClientsGetTheAnswersThatOneGets) {
  const RunningServer server;
  std::vector<std::string> expected;
  const auto text = [](int i) { return "question " + std::to_string(i); };
  for (int i = 0; i < 12; ++i)
    expected.push_back(server.chat({}, text(i)).json().at("choices").at(0).at("message").at("content"));
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 12; ++i) {
    answers.push_back(std::async(std::launch::async, [&, i] { return server.chat(Json::object(), text(i)); }));
  }
  int equal = 0;
  for (int i = 0; i < 12; ++i) {
    const Answer answer = answers[static_cast<size_t>(i)].get();
    ASSERT_EQ(answer.status, 200);
    equal += answer.json().at("choices").at(0).at("message").at("content") == expected[static_cast<size_t>(i)] ? 1 : 0;
  }
  // A pass of many adds up in another order, which may turn a choice between two near tokens of random weights.
  EXPECT_GE(equal, 10);
}

TEST(ServerLoad, ClientsThatLeaveAreNotAnswered) {
  const RunningServer server;
  {
    Client client(server.port());
    const std::string body = RunningServer::chat_body({{"stream", true}, {"max_tokens", 600}}).dump();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    ASSERT_TRUE(client.receive());
  }
  EXPECT_TRUE(eventually([&] { return server.metric("sensorium_jobs_cancelled_total") == 1; }));
  EXPECT_EQ(server.metric("sensorium_answers_running"), 0);
  // The one that asks is the only connection left.
  EXPECT_TRUE(eventually([&] { return server.metric("sensorium_connections") == 1; }));
}

TEST(ServerLoad, TooManyAreTurnedAwayWithATime) {
  ServerOptions options = tiny_options();
  options.scheduler = {.max_running = 1, .max_waiting = 2};
  const RunningServer server(std::move(options));
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 24; ++i) {
    answers.push_back(std::async(std::launch::async, [&] { return server.chat({{"max_tokens", 150}}); }));
  }
  int done = 0, refused = 0;
  for (std::future<Answer>& pending : answers) {
    const Answer answer = pending.get();
    if (answer.status == 200) {
      ++done;
    } else {
      EXPECT_EQ(answer.status, 429) << answer.body;
      EXPECT_GE(std::stoi(answer.headers.at("Retry-After")), 1);
      EXPECT_EQ(answer.json().at("error").at("type"), "rate_limit_error");
      ++refused;
    }
  }
  EXPECT_GE(done, 2);
  EXPECT_GE(refused, 1);
}

TEST(ServerLoad, RequestsHaveADeadline) {
  ServerOptions options = tiny_options();
  options.request_timeout = 1ms;
  const RunningServer server(std::move(options));
  const Answer late = server.chat({{"max_tokens", 600}});
  EXPECT_EQ(late.status, 504) << late.body;
  EXPECT_EQ(late.json().at("error").at("code"), "timeout");
}

TEST(ServerLoad, StoppingFinishesAnswers) {
  RunningServer server;
  std::future<Answer> answer = std::async(std::launch::async, [&] {
    return server.chat({{"stream", true}, {"max_tokens", 400}});
  });
  EXPECT_TRUE(eventually([&] {
    return server.metric("sensorium_answers_running") > 0 || answer.wait_for(0s) == std::future_status::ready;
  }));
  server.stop();
  const Answer whole = answer.get();
  EXPECT_EQ(whole.status, 200);
  EXPECT_GT(events_of(whole).size(), 10U);
}

}  // namespace
}  // namespace sensorium::server
