#include "server/http/request_parser.h"

#include <gtest/gtest.h>

namespace sensorium::server {
namespace {

using State = RequestParser::State;

const std::string kPost =
    "POST /v1/a%20b?x=1&y=%2B+2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Name:  value \r\n\r\nhello";

TEST(RequestParser, ReadsARequest) {
  RequestParser parser;
  EXPECT_EQ(parser.feed(kPost + "GET"), kPost.size());
  ASSERT_EQ(parser.state(), State::complete);
  const Request request = parser.take();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/v1/a b");
  EXPECT_EQ(request.header("x-name"), "value");
  EXPECT_EQ(request.parameter("y"), "+ 2");
  EXPECT_EQ(request.parameter("z"), std::nullopt);
  EXPECT_EQ(request.body, "hello");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_FALSE(parser.begun());
}

TEST(RequestParser, PiecesDoNotMatter) {
  const std::string chunked =
      "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n02\r\nde\r\n0\r\nT: x\r\n\r\n";
  for (const std::string& text : {kPost, chunked}) {
    RequestParser whole;
    EXPECT_EQ(whole.feed(text), text.size());
    const Request expected = whole.take();
    for (const size_t step : {1, 2, 3, 7}) {
      RequestParser parser;
      for (size_t at = 0; at < text.size();) at += parser.feed(std::string_view(text).substr(at, step));
      ASSERT_EQ(parser.state(), State::complete) << step;
      const Request request = parser.take();
      EXPECT_EQ(request.body, expected.body);
      EXPECT_EQ(request.headers, expected.headers);
    }
  }
}

TEST(RequestParser, SaysWhenAConnectionEnds) {
  const auto keeps = [](const std::string& text) {
    RequestParser parser;
    parser.feed(text);
    EXPECT_EQ(parser.state(), State::complete) << text;
    return parser.take().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

struct Hostile {
  const char* name;
  std::string bytes;
  int status;
};

// Requests that a server must not understand, and what it answers.
std::vector<Hostile> hostile_requests() {
  const std::string host = "Host: h\r\n";
  return {
      {"NoRequestLine", "\x16\x03\x01\x02\r\n\r\n", 400},
      {"BareLineFeeds", "GET / HTTP/1.1\nHost: h\n\n\r\n\r\n", 400},
      {"LineFeedInAHeader", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
      {"FoldedHeader", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400},
      {"BlankBeforeColon", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhello", 400},
      {"TwoLengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"LengthAndChunks",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"NegativeLength", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
      {"SignedLength", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", 400},
      {"LengthList", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello", 400},
      {"HugeLength", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400},
      {"LargeLength", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999\r\n\r\n", 413},
      {"OtherCoding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"ObscureCoding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
      {"ChunksInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"BadChunkSize", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n", 400},
      {"HugeChunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413},
      {"EndlessChunkLine", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(400, 'x'),
       400},
      {"ChunkWithoutEnd", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX\r\n", 400},
      {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
      {"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"OtherVersion", "GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"AboveRoot", "GET /../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 400},
      {"EncodedAboveRoot", "GET /a/%2e%2e/%2E%2e/etc HTTP/1.1\r\n" + host + "\r\n", 400},
      {"NulInPath", "GET /a%00b HTTP/1.1\r\n" + host + "\r\n", 400},
      {"BrokenEscape", "GET /a%zz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"AbsoluteTarget", "GET http://other/ HTTP/1.1\r\n" + host + "\r\n", 400},
      {"LongTarget", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"EndlessTarget", "GET /" + std::string(20000, 'a'), 414},
      {"LongHeaders", "GET / HTTP/1.1\r\n" + host + "X: " + std::string(40000, 'a'), 431},
      {"ManyHeaders",
       [&] {
         std::string text = "GET / HTTP/1.1\r\n" + host;
         for (int i = 0; i < 200; ++i) text += "A: b\r\n";
         return text + "\r\n";
       }(),
       431},
      {"ControlInHeader", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01 b\r\n\r\n", 400},
      {"OtherExpectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\n\r\n", 417},
  };
}

TEST(RequestParser, RefusesHostileRequests) {
  for (const Hostile& hostile : hostile_requests()) {
    for (const size_t step : {size_t{1}, hostile.bytes.size()}) {
      RequestParser parser;
      for (size_t at = 0;
           at < hostile.bytes.size() && parser.state() != State::failed && parser.state() != State::complete;) {
        at += parser.feed(std::string_view(hostile.bytes).substr(at, step));
      }
      EXPECT_EQ(parser.state(), State::failed) << hostile.name;
      EXPECT_EQ(parser.status(), hostile.status) << hostile.name << ": " << parser.reason();
      EXPECT_FALSE(parser.reason().empty()) << hostile.name;
    }
  }
}

TEST(RequestParser, BodiesHaveALimit) {
  RequestParser parser({.max_body_bytes = 4});
  parser.feed("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde");
  EXPECT_EQ(parser.status(), 413);
}

TEST(RequestParser, DotsInPathsAreResolved) {
  const auto path = [](const std::string& target) {
    RequestParser parser;
    parser.feed("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(parser.state(), State::complete) << target;
    return parser.take().path;
  };
  EXPECT_EQ(path("/"), "/");
  EXPECT_EQ(path("/a/./b"), "/a/b");
  EXPECT_EQ(path("/a/b/../c/"), "/a/c/");
  EXPECT_EQ(path("//a"), "/a");
  EXPECT_EQ(path("/a/%2e%2e/b"), "/b");
}

}  // namespace
}  // namespace sensorium::server
