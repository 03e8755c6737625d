// The small parts: turns of clients, keys, addresses, functions.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "base/file.h"
#include "server/routes/gate.h"
#include "server/routes/media_source.h"
#include "server/routes/openapi.h"
#include "server/routes/remote_fetch.h"
#include "server/routes/tools.h"
#include "server/scheduling/fair_queue.h"
#include "server/scheduling/media_note.h"

namespace sensorium::server {
namespace {

int status_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ApiError& error) {
    return error.status();
  }
  return 200;
}

TEST(FairQueue, ClientsTakeTurns) {
  FairQueue<int> queue;
  for (int i = 1; i <= 3; ++i) queue.push("a", i);
  queue.push("b", 10);
  queue.push("c", 20);
  const auto any = [](int) { return true; };
  std::vector<int> order;
  while (queue.size() > 0) order.push_back(queue.take(any));
  EXPECT_EQ(order, (std::vector<int>{1, 10, 20, 2, 3}));
  EXPECT_EQ(queue.take(any), 0);
}

TEST(FairQueue, PassesOverWhatIsNotReady) {
  FairQueue<int> queue;
  queue.push("a", 1);
  queue.push("a", 2);
  queue.push("b", 3);
  EXPECT_EQ(queue.take([](int item) { return item == 2; }), 2);
  queue.remove_if([](int item) { return item == 3; });
  EXPECT_EQ(queue.size(), 1U);
}

Request request_with(const std::string& name, const std::string& value, const std::string& method = "POST") {
  Request request;
  request.method = method;
  request.peer = "10.0.0.1";
  request.headers = {{"host", "localhost:8080"}, {name, value}};
  return request;
}

TEST(Gate, KnowsKeysByTheirHashAlone) {
  const NewKey made = make_key("ann");
  EXPECT_EQ(made.line.find(made.key), std::string::npos);
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "keys.txt";
  write_file_atomic(file, "# keys\n" + made.line + " concurrent=1\n");
  Gate gate({.keys = read_key_file(file)});
  using Access = Route::Access;
  const Request good = request_with("authorization", "bearer " + made.key);
  EXPECT_EQ(gate.admit(good, Access::key), "ann");
  EXPECT_EQ(status_of([&] { gate.admit(good, Access::key); }), 429);
  gate.leave("ann");
  EXPECT_EQ(gate.admit(request_with("x-goog-api-key", made.key), Access::key), "ann");
  EXPECT_EQ(status_of([&] { gate.admit(request_with("authorization", "Bearer " + made.key + "x"), Access::key); }),
            401);
  EXPECT_EQ(status_of([&] { gate.admit(request_with("authorization", "Basic " + made.key), Access::key); }), 401);
  EXPECT_EQ(status_of([&] { gate.admit(request_with("x", "y"), Access::key); }), 401);
  EXPECT_EQ(gate.admit(request_with("x", "y"), Access::open), "10.0.0.1");
}

TEST(Gate, LimitsRequestsPerMinute) {
  ApiKey key{.name = "b", .digest = sha256(std::string_view("k")), .requests_per_minute = 2};
  Gate gate({.keys = {key}});
  const Request request = request_with("authorization", "Bearer k");
  EXPECT_EQ(gate.admit(request, Route::Access::key), "b");
  EXPECT_EQ(gate.admit(request, Route::Access::key), "b");
  try {
    gate.admit(request, Route::Access::key);
    FAIL();
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 429);
    EXPECT_EQ(error.retry_after_s(), 30);
  }
}

TEST(Gate, FilesOfKeysAreChecked) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "bad_keys.txt";
  const std::string digest(64, 'a');
  for (const std::string& line : {std::string("ann"), "ann " + digest.substr(1), "ann " + digest + " rpm=x",
                                  "ann " + digest + " speed=1", std::string("# nothing")}) {
    write_file_atomic(file, line + "\n");
    EXPECT_THROW(read_key_file(file), Error) << line;
  }
}

TEST(Gate, RefusesOtherHostsAndPagesFromElsewhere) {
  Gate gate({.allowed_hosts = {"localhost", "[::1]"}, .origins = {"https://app.example"}});
  const auto admit = [&](const Request& request) {
    return status_of([&] { gate.admit(request, Route::Access::key); });
  };
  EXPECT_EQ(admit(request_with("x", "y")), 200);
  Request rebound = request_with("x", "y");
  rebound.headers = {{"host", "evil.example:8080"}};
  EXPECT_EQ(admit(rebound), 421);
  rebound.headers = {{"host", "[::1]:8080"}};
  EXPECT_EQ(admit(rebound), 200);
  EXPECT_EQ(admit(request_with("origin", "https://evil.example")), 403);
  EXPECT_EQ(admit(request_with("origin", "null")), 403);
  EXPECT_EQ(admit(request_with("origin", "http://localhost:8080")), 200);
  EXPECT_EQ(admit(request_with("origin", "https://app.example")), 200);
  EXPECT_EQ(gate.allowed_origin(request_with("origin", "https://app.example")), "https://app.example");
  EXPECT_EQ(gate.allowed_origin(request_with("origin", "https://evil.example")), "");
}

TEST(Gate, KnowsClientsBehindAProxy) {
  Gate direct({}), behind({.behind_proxy = true});
  const Request request = request_with("x-forwarded-for", "6.6.6.6, 203.0.113.9");
  EXPECT_EQ(direct.admit(request, Route::Access::key), "10.0.0.1");
  EXPECT_EQ(behind.admit(request, Route::Access::key), "203.0.113.9");
  EXPECT_EQ(behind.admit(request_with("x", "y"), Route::Access::key), "10.0.0.1");
}

bool is_public(const std::string& text) {
  if (text.find(':') == std::string::npos) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &address.sin_addr), 1) << text;
    return is_public_address(reinterpret_cast<const sockaddr*>(&address));
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &address.sin6_addr), 1) << text;
  return is_public_address(reinterpret_cast<const sockaddr*>(&address));
}

TEST(RemoteFetch, KnowsPublicAddresses) {
  for (const char* text : {"127.0.0.1",
                           "127.1.2.3",
                           "0.0.0.0",
                           "10.1.2.3",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "192.0.0.1",
                           "198.18.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "fe80::1",
                           "fc00::1",
                           "fd12::1",
                           "ff02::1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::a00:1",
                           "2002:7f00:1::1",
                           "2002:c0a8:1::1",
                           "2001::1",
                           "2001:db8::1",
                           "fec0::1"}) {
    EXPECT_FALSE(is_public(text)) << text;
  }
  for (const char* text :
       {"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"})
    EXPECT_TRUE(is_public(text)) << text;
}

TEST(RemoteFetch, RefusesWhatLeadsInside) {
  const RemoteFetchOptions open{.hosts = {"*"}, .timeout = std::chrono::milliseconds(2000)};
  for (const char* url : {"http://127.0.0.1/",
                          "http://localhost:22/",
                          "http://[::1]/",
                          "http://2130706433/",
                          "http://0x7f000001/",
                          "http://0177.0.0.1/",
                          "http://127.1/",
                          "http://[::ffff:127.0.0.1]/",
                          "http://169.254.169.254/latest/meta-data/",
                          "http://10.0.0.1/",
                          "http://0/",
                          "http://user@127.0.0.1/",
                          "http://user:pass@example.org/",
                          "file:///etc/passwd",
                          "gopher://127.0.0.1/",
                          "ftp://127.0.0.1/",
                          "dict://127.0.0.1:11211/",
                          "http://",
                          "https:///x",
                          "http:/127.0.0.1/"}) {
    EXPECT_EQ(status_of([&] { fetch_remote(url, open); }), 400) << url;
  }
  // Nothing is resolved for a host that is not allowed.
  EXPECT_EQ(status_of([&] { fetch_remote("http://example.org/", {}); }), 400);
  EXPECT_EQ(url_host("https://Example.ORG:443/x"), "example.org");
}

TEST(Media, ReadsBase64AsClientsSendIt) {
  EXPECT_EQ(decode_base64("+/8="), "\xfb\xff");
  EXPECT_EQ(decode_base64("-_8"), "\xfb\xff");
  EXPECT_EQ(decode_base64("aGVs\r\nbG8="), "hello");
  for (const char* text : {"a", "a===", "****", "aGVsbG8=x"})
    EXPECT_EQ(status_of([&] { decode_base64(text); }), 400) << text;
}

TEST(Media, LocalFilesStayBelowTheirFolder) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "media_root";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder / "in");
  write_file_atomic(folder / "in/a.txt", "inside");
  write_file_atomic(std::filesystem::path(testing::TempDir()) / "outside.txt", "outside");
  std::filesystem::create_symlink("../../outside.txt", folder / "in/link");
  MediaSource source({.media_path = folder});
  EXPECT_EQ(source.read_url("file:///in/a.txt").bytes, "inside");
  EXPECT_EQ(source.read_url("file://" + std::filesystem::canonical(folder / "in/a.txt").string()).bytes, "inside");
  for (const char* url :
       {"file:///in/link", "file:///../outside.txt", "file:///in/../../outside.txt", "file:///etc/passwd",
        "file:///%2e%2e/outside.txt", "file:///in", "file:///in/a.txt%00.png"}) {
    EXPECT_NE(status_of([&] { source.read_url(url); }), 200) << url;
  }
  EXPECT_EQ(status_of([&] { MediaSource({}).read_url("file:///in/a.txt"); }), 400);
}

TEST(MediaNote, StandsWhereTheModelReadsIt) {
  const models::ChatPart picture{.image = std::make_shared<const media::Image>(2, 2)};
  const auto texts = [](std::vector<models::ChatMessage> messages) {
    add_media_note(messages);
    std::vector<std::string> all;
    for (const models::ChatMessage& message : messages) {
      for (const models::ChatPart& part : message.parts) all.push_back(part.image ? "PICTURE" : part.text);
    }
    return all;
  };
  const std::string note = kMediaNote;
  EXPECT_EQ(texts({{"user", {{.text = "hello"}}}}), (std::vector<std::string>{"hello"}));
  EXPECT_EQ(texts({{"user", {picture, picture, {.text = "what?"}}}, {"assistant", {{.text = "a"}}}}),
            (std::vector<std::string>{"PICTURE", "PICTURE", note + "\n", "what?", "a"}));
  EXPECT_EQ(texts({{"system", {{.text = "be brief"}}}, {"user", {picture}}}),
            (std::vector<std::string>{"be brief", "\n" + note, "PICTURE"}));
}

TEST(Tools, CallsAreReadAndEnforced) {
  const OrderedJson parameters = OrderedJson::parse(
      R"({"type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"required":["n"],"$defs":{"n":{"type":"integer"}}})");
  const Tools tools({{"count", "counts", parameters}, {"stop", "", nullptr}}, Tools::Choice::required, "");
  EXPECT_NE(tools.grammar(), nullptr);
  const auto call = tools.read_call(R"( {"name": "count", "arguments": {"n": 3}} )");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->name, "count");
  EXPECT_EQ(call->arguments, R"({"n":3})");
  for (const char* text : {"hello", R"({"name": "other", "arguments": {}})", R"({"name": "count"})",
                           R"({"name": "count", "arguments": 1})", R"([1])"}) {
    EXPECT_FALSE(tools.read_call(text)) << text;
  }
  EXPECT_NE(tools.instructions().find("\"count\""), std::string::npos);
  const Tools automatic({{"count", "", nullptr}}, Tools::Choice::automatic, "");
  EXPECT_EQ(automatic.grammar(), nullptr);
  EXPECT_TRUE(automatic.may_be_call(" {\"na"));
  EXPECT_FALSE(automatic.may_be_call("I"));
  EXPECT_EQ(status_of([] { Tools({{"a b", "", nullptr}}, Tools::Choice::automatic, ""); }), 400);
  EXPECT_EQ(status_of([] { Tools({{"a", "", nullptr}, {"a", "", nullptr}}, Tools::Choice::automatic, ""); }), 400);
  EXPECT_EQ(status_of([] { Tools({{"a", "", nullptr}}, Tools::Choice::required, "b"); }), 400);
}

TEST(Routes, TheTableIsSound) {
  for (const Route& route : routes()) {
    std::string path = route.path;
    for (size_t open; (open = path.find('{')) != std::string::npos;) path.replace(open, path.find('}') - open + 1, "x");
    EXPECT_EQ(find_route(route.method, path).route, &route) << route.method << " " << route.path;
    EXPECT_NE(std::string(route.summary), "") << route.path;
  }
  EXPECT_EQ(find_route("GET", "/nothing/here").route, nullptr);
  EXPECT_TRUE(find_route("DELETE", "/health").other_method);
  EXPECT_EQ(find_route("HEAD", "/health").route, find_route("GET", "/health").route);
  EXPECT_EQ(find_route("GET", "/v1/models/org/name").values, std::vector<std::string>{"org/name"});
}

TEST(Routes, TheDocumentationIsThatOfTheTable) {
  EXPECT_EQ(read_file(std::filesystem::path(SENSORIUM_SOURCE_DIR) / "docs/api.md"), api_markdown())
      << "docs/api.md is old: sensorium serve --describe markdown > docs/api.md";
  const OrderedJson document = openapi_document();
  EXPECT_TRUE(document.at("paths").at("/v1/chat/completions").contains("post"));
  // What no model can do yet is not described as done.
  for (const char* path : {"/v1/audio/speech", "/v1/images/generations"}) {
    const OrderedJson& operation = document.at("paths").at(path).at("post");
    EXPECT_FALSE(operation.at("responses").contains("200")) << path;
    EXPECT_TRUE(operation.at("responses").contains("400")) << path;
    EXPECT_NE(operation.at("summary").get<std::string>().find("as output"), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace sensorium::server
