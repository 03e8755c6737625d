// What is fetched from a server of this machine: nothing, unless that is allowed, and never from where it points to.
#include "server/routes/remote_fetch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "server/http/listener.h"
#include "server/http_client.h"
#include "server/routes/api_error.h"

namespace sensorium::server {
namespace {

// Answers /file with some bytes, /there with a redirect to /secret, and counts who comes.
class Place {
 public:
  Place()
      : listener_({.port = 0}, [this](std::unique_ptr<Exchange> exchange) { answer(*exchange); }),
        thread_([this] { listener_.run({}, std::chrono::seconds(2)); }) {}
  ~Place() {
    listener_.stop();
    thread_.join();
  }
  std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(listener_.port()) + path;
  }
  int visits() const { return visits_; }
  int secrets_told() const { return secrets_; }

 private:
  void answer(Exchange& exchange) {
    ++visits_;
    const std::string path = exchange.request().path;
    if (path == "/secret") ++secrets_;
    if (path == "/there") {
      exchange.send({.status = 302, .headers = {{"Location", url("/secret")}}});
    } else {
      exchange.send({.content_type = "image/png", .body = std::string(1000, 'x')});
    }
  }

  std::atomic<int> visits_ = 0, secrets_ = 0;
  Listener listener_;
  std::thread thread_;
};

int status_of(const std::string& url, const RemoteFetchOptions& options) {
  try {
    (void)fetch_remote(url, options);
  } catch (const ApiError& error) {
    return error.status();
  }
  return 200;
}

TEST(RemoteFetchOverHttp, ReadsWithinItsLimits) {
  const Place place;
  RemoteFetchOptions options{.hosts = {"*"}, .allow_private = true};
  EXPECT_EQ(fetch_remote(place.url("/file"), options), std::string(1000, 'x'));
  options.max_bytes = 999;
  EXPECT_EQ(status_of(place.url("/file"), options), 413);
}

TEST(RemoteFetchOverHttp, RedirectsAreNotFollowed) {
  const Place place;
  EXPECT_EQ(status_of(place.url("/there"), {.hosts = {"*"}, .allow_private = true}), 400);
  EXPECT_EQ(place.visits(), 1);
  EXPECT_EQ(place.secrets_told(), 0);
}

// Whatever name or spelling an address has, it is looked at when the connection is made: a name that has changed its address since it
// was allowed (DNS rebinding) is no way in.
TEST(RemoteFetchOverHttp, TheAddressThatIsConnectedToCounts) {
  const Place place;
  for (const char* host : {"localhost", "127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]"})
    EXPECT_EQ(status_of(place.url("/secret", host), {.hosts = {host, "localhost", "127.0.0.1"}}), 400) << host;
  EXPECT_EQ(place.visits(), 0);
}

}  // namespace
}  // namespace sensorium::server
