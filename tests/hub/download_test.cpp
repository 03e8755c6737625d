// Downloads from a server on loopback that cuts, lies, moves and refuses.
#include "hub/download.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "hub/loopback_server.h"

namespace sensorium::hub {
namespace {
namespace fs = std::filesystem;

std::string random_bytes(size_t count, uint64_t seed = 1) {
  Rng rng(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.below(256));
  return bytes;
}
std::string hash_of(const std::string& bytes) { return to_hex(sha256(bytes)); }

class DownloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("download_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    set_interrupted(false);
    fs::remove_all(folder_);
  }

  fs::path file() const { return folder_ / "weights.bin"; }
  fs::path part() const { return folder_ / "weights.bin.part"; }
  FileRequest request(const LoopbackServer& server, const std::string& sha256 = "") const {
    return {.url = server.address() + "/weights.bin", .path = file(), .sha256 = sha256};
  }
  // The only files there.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  // Which error, and that its message says `part`.
  void expect_error(const FileRequest& wanted, ErrorKind kind, const std::string& part,
                    const DownloadOptions& options = kFast) const {
    try {
      download(wanted, options);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.message();
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    }
  }

  static const DownloadOptions kFast;
  const std::string content_ = random_bytes(100'000);
  fs::path folder_;
};
const DownloadOptions DownloadTest::kFast = {.attempts = 3, .first_delay_s = 0.001, .max_delay_s = 0.01};

using Names = std::vector<std::string>;

TEST_F(DownloadTest, TheWholeFile) {
  const LoopbackServer server([&](const ServerRequest& r) { return file_reply(r, content_, "\"1\""); });
  FileRequest wanted = request(server, hash_of(content_));
  wanted.path = folder_ / "deep" / "er" / "weights.bin";
  wanted.bytes = content_.size();
  uint64_t done = 0, total = 0;
  DownloadOptions options = kFast;
  options.progress = [&](uint64_t d, uint64_t t) { done = d, total = t; };
  const Downloaded got = download(wanted, options);
  EXPECT_FALSE(got.was_there);
  EXPECT_EQ(got.retries, 0);
  EXPECT_EQ(got.sha256, hash_of(content_));
  EXPECT_EQ(read_file(wanted.path), content_);
  EXPECT_EQ(done, content_.size());
  EXPECT_EQ(total, content_.size());
  EXPECT_EQ(names(), Names({"deep"}));
}

TEST_F(DownloadTest, AnEmptyFile) {
  const LoopbackServer server([](const ServerRequest&) { return ServerReply{}; });
  EXPECT_EQ(download(request(server), kFast).bytes, 0u);
  EXPECT_EQ(read_file(file()), "");
}

TEST_F(DownloadTest, CutConnectionsGoOn) {
  for (const std::string etag : {"\"1\"", ""}) {
    const LoopbackServer server([&](const ServerRequest& r) {
      ServerReply reply = file_reply(r, content_, etag);
      reply.sent = 30'000;
      return reply;
    });
    const Downloaded got = download(request(server), kFast);
    EXPECT_EQ(read_file(file()), content_);
    EXPECT_EQ(got.retries, 3);
    EXPECT_EQ(got.resumed_at, 0u);
    const std::vector<ServerRequest> requests = server.requests();
    ASSERT_EQ(requests.size(), 4u);
    EXPECT_EQ(requests[1].offset(), 30'000u);
    EXPECT_EQ(requests[1].header("if-range"), etag);
    EXPECT_EQ(requests[3].offset(), 90'000u);
    EXPECT_EQ(names(), Names({"weights.bin"}));
    fs::remove(file());
  }
}

TEST_F(DownloadTest, AServerWithoutRangesStartsOver) {
  int served = 0;
  const LoopbackServer server([&](const ServerRequest&) {
    return ServerReply{.body = content_, .sent = ++served < 3 ? 40'000 : content_.size()};
  });
  EXPECT_EQ(download(request(server, hash_of(content_)), kFast).retries, 2);
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, AnUnknownLengthEndsWithTheConnection) {
  const LoopbackServer server([&](const ServerRequest&) { return ServerReply{.body = content_, .has_length = false}; });
  EXPECT_EQ(download(request(server), kFast).bytes, content_.size());
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, AnUnknownLengthThatEndsTooEarlyIsNoFile) {
  const LoopbackServer server(
      [&](const ServerRequest&) { return ServerReply{.body = content_, .sent = 10, .has_length = false}; });
  FileRequest wanted = request(server);
  wanted.bytes = content_.size();
  expect_error(wanted, ErrorKind::io, "ends early");
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(DownloadTest, APartOfAnEarlierRunGoesOn) {
  bool cut = true;
  std::string etag = "\"1\"";
  const LoopbackServer server([&](const ServerRequest& r) {
    if (!cut) return file_reply(r, content_, etag);
    if (r.offset() > 0) return ServerReply{.status = 503};
    ServerReply reply = file_reply(r, content_, etag);
    reply.sent = 30'000;
    return reply;
  });
  expect_error(request(server), ErrorKind::io, "503, 3 times in a row");
  EXPECT_EQ(fs::file_size(part()), 30'000u);
  EXPECT_EQ(names(), Names({"weights.bin.part", "weights.bin.part.etag"}));
  cut = false;
  EXPECT_EQ(download(request(server), kFast).resumed_at, 30'000u);
  EXPECT_EQ(read_file(file()), content_);
  EXPECT_EQ(server.requests().back().offset(), 30'000u);
  EXPECT_EQ(names(), Names({"weights.bin"}));

  // Another file by now: its bytes must not be put behind those of the old one.
  fs::remove(file());
  cut = true;
  expect_error(request(server), ErrorKind::io, "503");
  cut = false;
  etag = "\"2\"";
  EXPECT_EQ(download(request(server), kFast).resumed_at, 0u);
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, APartOfNothingKnownGoesOnOnlyIfTheHashTells) {
  const LoopbackServer server([&](const ServerRequest& r) { return file_reply(r, content_, ""); });
  write_file_atomic(part(), random_bytes(5'000, 9));  // of another file
  EXPECT_EQ(download(request(server), kFast).resumed_at, 0u);
  EXPECT_EQ(read_file(file()), content_);

  fs::remove(file());
  write_file_atomic(part(), content_.substr(0, 5'000));
  EXPECT_EQ(download(request(server, hash_of(content_)), kFast).resumed_at, 5'000u);
  EXPECT_EQ(read_file(file()), content_);

  fs::remove(file());
  write_file_atomic(part(), random_bytes(5'000, 9));
  EXPECT_EQ(download(request(server, hash_of(content_)), kFast).resumed_at, 0u);
  EXPECT_EQ(read_file(file()), content_);

  fs::remove(file());
  write_file_atomic(part(), content_ + "and more");  // 416
  EXPECT_EQ(download(request(server, hash_of(content_)), kFast).resumed_at, 0u);
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, AWrongHashLeavesNothing) {
  const LoopbackServer server([&](const ServerRequest& r) { return file_reply(r, content_, "\"1\""); });
  expect_error(request(server, hash_of("another")), ErrorKind::invalid_data, "sha256 is " + hash_of(content_));
  EXPECT_EQ(names(), Names());
}

TEST_F(DownloadTest, AWrongSizeIsToldBeforeTheDownload) {
  const LoopbackServer server([&](const ServerRequest& r) { return file_reply(r, content_, "\"1\""); });
  FileRequest wanted = request(server);
  wanted.bytes = content_.size() + 1;
  expect_error(wanted, ErrorKind::invalid_data, "the server's file has 100000 bytes, expected 100001");
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_EQ(fs::file_size(part()), 0u);
}

TEST_F(DownloadTest, AnAnswerForAnotherRangeIsRefused) {
  const LoopbackServer server([&](const ServerRequest& r) {
    ServerReply reply = file_reply(r, content_, "\"1\"");
    if (r.offset() == 0) reply.sent = 1'000;
    if (r.offset() > 0) reply.headers = {"Content-Range: bytes 7-99999/100000"};
    return reply;
  });
  expect_error(request(server), ErrorKind::invalid_data, "from 7 on, asked for were those from 1000 on");
}

TEST_F(DownloadTest, RefusalsAreNotTriedAgain) {
  int status = 404;
  const LoopbackServer server([&](const ServerRequest&) { return ServerReply{.status = status, .body = "a page"}; });
  expect_error(request(server), ErrorKind::not_found, "/weights.bin: the server answers 404");
  status = 403;
  expect_error(request(server), ErrorKind::io, "access denied (403)");
  status = 400;
  expect_error(request(server), ErrorKind::io, "400");
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_EQ(fs::file_size(part()), 0u);  // no error page in it
}

TEST_F(DownloadTest, ABusyServerIsTriedAgain) {
  int served = 0;
  const LoopbackServer server([&](const ServerRequest& r) {
    ++served;
    if (served == 1) return ServerReply{.status = 503};
    if (served == 2) return ServerReply{.status = 429, .headers = {"Retry-After: 0"}};
    return file_reply(r, content_, "\"1\"");
  });
  EXPECT_EQ(download(request(server), kFast).retries, 2);
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, NobodyListens) {
  std::string address;
  {
    const LoopbackServer server([](const ServerRequest&) { return ServerReply{}; });
    address = server.address();
  }
  expect_error({.url = address + "/weights.bin", .path = file()}, ErrorKind::io, "3 times in a row");
  expect_error({.url = "ftp://127.0.0.1/weights.bin", .path = file()}, ErrorKind::usage, "no http or https");
}

TEST_F(DownloadTest, RedirectsAreFollowedAndLimited) {
  const LoopbackServer target([&](const ServerRequest& r) { return file_reply(r, content_, "\"1\""); });
  const LoopbackServer server([&](const ServerRequest& r) {
    const bool loop = r.path == "/loop";
    return ServerReply{.status = 302, .headers = {"Location: " + (loop ? "/loop" : target.address() + "/elsewhere")}};
  });
  DownloadOptions options = kFast;
  options.bearer_token = "secret";
  options.max_redirects = 4;
  download(request(server), options);
  EXPECT_EQ(read_file(file()), content_);
  EXPECT_EQ(server.requests()[0].header("authorization"), "Bearer secret");
  EXPECT_EQ(target.requests()[0].header("authorization"), "");  // another host
  const size_t before = server.requests().size();
  expect_error({.url = server.address() + "/loop", .path = folder_ / "loop"}, ErrorKind::io, "redirects", options);
  EXPECT_EQ(server.requests().size() - before, 5u);
}

TEST_F(DownloadTest, AFullDiskKeepsThePart) {
  const LoopbackServer server([&](const ServerRequest& r) { return file_reply(r, content_, "\"1\""); });
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{40'000, before.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_error(request(server), ErrorKind::io, "weights.bin.part: cannot write");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(fs::file_size(part()), 40'000u);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(download(request(server), kFast).resumed_at, 40'000u);
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, MoreThanTheDiskHoldsIsToldBefore) {
  const LoopbackServer server([&](const ServerRequest&) { return ServerReply{}; });
  FileRequest wanted = request(server);
  wanted.bytes = uint64_t{1} << 60;
  expect_error(wanted, ErrorKind::io, "the disk has room for");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(DownloadTest, InterruptedKeepsThePart) {
  const LoopbackServer server([&](const ServerRequest& r) {
    ServerReply reply = file_reply(r, content_, "\"1\"");
    reply.stall = r.offset() == 0;
    if (reply.stall) reply.sent = 20'000;
    return reply;
  });
  DownloadOptions options = kFast;
  options.progress = [&](uint64_t done, uint64_t) { set_interrupted(done == 20'000); };
  expect_error(request(server), ErrorKind::interrupted, "interrupted", options);
  set_interrupted(false);
  EXPECT_EQ(fs::file_size(part()), 20'000u);
  EXPECT_EQ(download(request(server), kFast).resumed_at, 20'000u);
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, AFileThatIsThere) {
  const LoopbackServer server([&](const ServerRequest&) { return ServerReply{.status = 500}; });
  write_file_atomic(file(), content_);
  EXPECT_TRUE(download(request(server, hash_of(content_)), kFast).was_there);
  expect_error(request(server, hash_of("another")), ErrorKind::invalid_data, "another content");
  FileRequest wanted = request(server);
  wanted.bytes = 7;
  expect_error(wanted, ErrorKind::invalid_data, "stands there with 100000 bytes, expected 7");
  EXPECT_TRUE(server.requests().empty());
  EXPECT_EQ(read_file(file()), content_);
}

TEST_F(DownloadTest, TwoAtOnceAreRefused) {
  const LoopbackServer server([&](const ServerRequest& r) { return file_reply(r, content_, "\"1\""); });
  const FileLock other(part());
  ASSERT_TRUE(other.held());
  expect_error(request(server), ErrorKind::io, "another process is downloading it");
}

TEST_F(DownloadTest, SmallTexts) {
  int served = 0;
  const LoopbackServer server([&](const ServerRequest&) {
    return ++served == 1 ? ServerReply{.status = 502} : ServerReply{.body = "{\"a\": 1}"};
  });
  EXPECT_EQ(download_text(server.address() + "/api", 100, kFast), "{\"a\": 1}");
  EXPECT_THROW(download_text(server.address() + "/api", 7, kFast), Error);
}

}  // namespace
}  // namespace sensorium::hub
