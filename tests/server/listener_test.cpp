#include "server/http/listener.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "server/http_client.h"

namespace sensorium::server {
namespace {

using namespace std::chrono_literals;

// A listener with a handler, served by a thread of its own until the end of the test.
class Serving {
 public:
  Serving(ListenerOptions options, Listener::Handler handler)
      : listener_(with_free_port(std::move(options)), std::move(handler)) {
    thread_ = std::thread([this] { listener_.run({}, 2s); });
  }
  ~Serving() {
    listener_.stop();
    thread_.join();
  }
  int port() const { return listener_.port(); }
  Listener& listener() { return listener_; }

 private:
  static ListenerOptions with_free_port(ListenerOptions options) {
    options.port = 0;
    return options;
  }
  Listener listener_;
  std::thread thread_;
};

void echo(std::unique_ptr<Exchange> exchange) {
  exchange->send(
      {.content_type = "text/plain",
       .body = exchange->request().method + " " + exchange->request().path + " " + exchange->request().body});
}

TEST(Listener, AnswersOneRequestAfterAnotherOnAConnection) {
  Serving serving({}, echo);
  Client client(serving.port());
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client.request("POST", "/a", "b" + std::to_string(i));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /a b" + std::to_string(i));
    EXPECT_EQ(answer.headers.at("X-Content-Type-Options"), "nosniff");
  }
  const Answer head = Client(serving.port()).request("HEAD", "/h", "", "Connection: close\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("Content-Length"), "8");
}

TEST(Listener, RequestsMayComeAllAtOnce) {
  Serving serving({}, echo);
  Client client(serving.port());
  const std::string one = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send(one + one + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "GET /a ");
  EXPECT_EQ(client.read_answer().body, "GET /a ");
  EXPECT_EQ(client.read_answer().body, "GET /b ");
}

TEST(Listener, StreamsFromAnotherThread) {
  std::vector<std::thread> threads;
  {
    Serving serving({}, [&](std::unique_ptr<Exchange> exchange) {
      threads.emplace_back([shared = std::shared_ptr<Exchange>(std::move(exchange))] {
        shared->start({.content_type = "text/plain", .body = "0 "});
        for (int i = 1; i < 100; ++i) shared->write(std::to_string(i) + " ");
        shared->finish();
      });
    });
    std::string expected;
    for (int i = 0; i < 100; ++i) expected += std::to_string(i) + " ";
    Client client(serving.port());
    for (int i = 0; i < 2; ++i) {
      const Answer answer = client.request("GET", "/");
      EXPECT_EQ(answer.body, expected);
      EXPECT_TRUE(answer.complete);
    }
    Client old(serving.port());
    old.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(old.read_answer().body, expected);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Listener, SeesThatAClientHasLeft) {
  std::mutex mutex;
  std::shared_ptr<Exchange> held;
  Serving serving({}, [&](std::unique_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    held = std::move(exchange);
  });
  const auto held_one = [&] {
    const std::lock_guard lock(mutex);
    return held;
  };
  {
    Client client(serving.port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return held_one() != nullptr; }));
    EXPECT_FALSE(held->gone());
  }
  EXPECT_TRUE(eventually([&] { return held->gone(); }));
  held.reset();
  EXPECT_TRUE(eventually([&] { return serving.listener().statistics().connections == 0; }));
}

TEST(Listener, AnExchangeGivenUpIsAnError) {
  Serving serving({}, [](std::unique_ptr<Exchange> exchange) {
    if (exchange->request().path == "/stream") exchange->start({.body = "part"});
  });
  EXPECT_EQ(ask_once(serving.port(), "GET", "/").status, 500);
  const Answer cut = ask_once(serving.port(), "GET", "/stream");
  EXPECT_EQ(cut.body, "part");
  EXPECT_FALSE(cut.complete);
}

TEST(Listener, SlowClientsAreSentAway) {
  ListenerOptions options;
  options.head_timeout = 300ms;
  options.body_timeout = 300ms;
  options.idle_timeout = 300ms;
  Serving serving(options, echo);
  Client head(serving.port()), body(serving.port()), idle(serving.port());
  head.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12");
  EXPECT_EQ(head.read_answer().status, 408);
  EXPECT_EQ(body.read_answer().status, 408);
  EXPECT_FALSE(idle.receive());
}

TEST(Listener, LargeBodiesAreRefusedBeforeTheyCome) {
  ListenerOptions options;
  options.limits.max_body_bytes = 1000;
  Serving serving(options, echo);
  Client client(serving.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.json().at("error").at("type"), "invalid_request_error");
  Client small(serving.port());
  small.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(small.receive());
  EXPECT_TRUE(small.received().starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
}

TEST(Listener, AnAnswerReachesAClientThatIsStillSending) {
  ListenerOptions options;
  options.limits.max_body_bytes = 1000;
  Serving serving(options, echo);
  Client client(serving.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + std::string(0xffff, 'x'));
  client.send(std::string(500'000, 'x'));
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST(Listener, MemoryForBodiesHasALimit) {
  ListenerOptions options;
  options.max_buffered_bytes = 100'000;
  Serving serving(options, echo);
  Client first(serving.port()), second(serving.port());
  first.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n" + std::string(80'000, 'x'));
  EXPECT_TRUE(eventually([&] { return serving.listener().statistics().buffered_bytes >= 80'000; }));
  second.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n" + std::string(80'000, 'x'));
  const Answer refused = second.read_answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("Retry-After"));
  first.send(std::string(10'000, 'x'));
  EXPECT_EQ(first.read_answer().status, 200);
}

TEST(Listener, IdleConnectionsMakeRoom) {
  ListenerOptions options;
  options.max_connections = 4;
  Serving serving(options, echo);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<Client>(serving.port()));
    EXPECT_EQ(clients.back()->request("GET", "/").status, 200);
  }
  EXPECT_LE(serving.listener().statistics().connections, 4);
}

TEST(Listener, AReaderThatStopsReadingIsGone) {
  std::atomic<bool> gone{false};
  std::thread writer;
  {
    Serving serving({}, [&](std::unique_ptr<Exchange> exchange) {
      writer = std::thread([&, shared = std::shared_ptr<Exchange>(std::move(exchange))] {
        shared->start({.body = "begin"});
        const std::string block(100'000, 'x');
        for (int i = 0; i < 1000 && !shared->gone(); ++i) shared->write(block);
        gone = shared->gone();
        shared->finish();
      });
    });
    Client client(serving.port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return gone.load(); }));
  }
  writer.join();
}

TEST(Listener, StoppingFinishesWhatStreams) {
  std::atomic<bool> go_on{false};
  std::thread writer;
  std::string body;
  {
    Serving serving({}, [&](std::unique_ptr<Exchange> exchange) {
      writer = std::thread([&, shared = std::shared_ptr<Exchange>(std::move(exchange))] {
        shared->start({.body = "begin "});
        while (!go_on) std::this_thread::sleep_for(1ms);
        shared->write("end");
        shared->finish();
      });
    });
    Client client(serving.port()), idle(serving.port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(client.receive());
    serving.listener().stop();
    EXPECT_FALSE(idle.receive());
    go_on = true;
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.body, "begin end");
    EXPECT_TRUE(answer.complete);
  }
  writer.join();
}

TEST(Listener, SpeaksTls) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "tls";
  std::filesystem::create_directories(folder);
  const std::string key = (folder / "key.pem").string(), certificate = (folder / "cert.pem").string();
  const std::string make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2 -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  if (std::system(make.c_str()) != 0) GTEST_SKIP() << "the program openssl is not installed";
  ListenerOptions options;
  options.tls = std::make_shared<const TlsContext>(certificate, key);
  Serving serving(options,
                  [](std::unique_ptr<Exchange> exchange) { exchange->send({.body = std::string(300'000, 'y')}); });
  const std::string out = (folder / "out").string();
  const std::string ask =
      "printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' | timeout 10 openssl s_client "
      "-quiet -ign_eof -CAfile " +
      certificate + " -verify_return_error -connect localhost:" + std::to_string(serving.port()) + " > " + out +
      " 2>/dev/null";
  (void)!std::system(ask.c_str());
  EXPECT_GT(std::filesystem::file_size(out), 300'000U);
  // Who speaks plain HTTP is not answered, and hurts nobody.
  Client plain(serving.port());
  plain.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (plain.receive()) {
  }
  EXPECT_EQ(plain.received().find("HTTP/1.1 200"), std::string::npos);
  EXPECT_THROW(TlsContext(key, certificate), Error);
  EXPECT_THROW(TlsContext(folder / "none", key), Error);
}

}  // namespace
}  // namespace sensorium::server
