// Decoding in processes of their own: the same samples, and what happens to files that break a decoder.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "base/file.h"
#include "server/decoding/media_decoder.h"
#include "server/decoding/sandbox.h"
#include "server/running_server.h"
#include "thrown.h"

namespace sensorium::server {
namespace {

const std::filesystem::path kSource = SENSORIUM_SOURCE_DIR;

DecoderOptions real_worker() { return {.program = {SENSORIUM_BINARY_DIR "/test_server_decoder"}}; }

std::string tone(double seconds) {
  media::Audio audio{.sample_rate_hz = 16'000, .channels = 2, .samples = {}};
  for (int i = 0; i < static_cast<int>(seconds * 32'000); ++i)
    audio.samples.push_back(0.5f * std::sin(0.1f * static_cast<float>(i)));
  return media::encode_wav(audio);
}

TEST(Decoding, AnotherProcessMakesTheSameOfAFile) {
  MediaDecoder here({}), there(real_worker());
  for (const char* name : {"examples/site.jpg", "examples/shapes.png"}) {
    const std::string bytes = read_file(kSource / name);
    EXPECT_EQ(there.picture(bytes, {}), here.picture(bytes, {})) << name;
  }
  const std::string sound = tone(25);
  const media::Audio heard = there.sound(sound), want = here.sound(sound);
  EXPECT_EQ(heard.samples, want.samples);
  EXPECT_EQ(heard.sample_rate_hz, want.sample_rate_hz);
  EXPECT_EQ(heard.channels, 2);
  const modality::Recording far = there.recording(sound), near = here.recording(sound);
  EXPECT_EQ(far.seconds, near.seconds);
  EXPECT_EQ(far.sense, near.sense);
  ASSERT_EQ(far.windows.size(), near.windows.size());
  ASSERT_EQ(near.windows.size(), 3U);
  for (size_t i = 0; i < near.windows.size(); ++i) EXPECT_EQ(far.windows[i].to_floats(), near.windows[i].to_floats());
  EXPECT_EQ(there.started(), 1) << "the process is kept";
  EXPECT_EQ(here.started(), 0);
}

TEST(Decoding, WhatCannotBeDecodedIsTheSameError) {
  MediaDecoder here({}), there(real_worker());
  const std::string picture = read_file(kSource / "examples/site.jpg"), cut = picture.substr(0, picture.size() / 2);
  for (const std::string& bytes : {std::string("nothing"), cut, std::string()}) {
    const Error want = error_of([&] { (void)here.picture(bytes, {}); });
    const Error got = error_of([&] { (void)there.picture(bytes, {}); });
    EXPECT_EQ(got.kind(), want.kind());
    EXPECT_EQ(got.message(), want.message());
    EXPECT_EQ(error_of([&] { (void)there.sound(bytes); }).kind(), error_of([&] { (void)here.sound(bytes); }).kind());
  }
  EXPECT_EQ(error_of([&] { (void)there.picture(picture, {.max_pixels = 1000}); }).kind(), ErrorKind::limit);
  EXPECT_EQ(error_of([&] { (void)there.picture(picture, {.max_file_bytes = 1000}); }).kind(), ErrorKind::limit);
  EXPECT_EQ(there.started(), 1);
}

TEST(Decoding, ABrokenDecoderIsAnErrorAndIsReplaced) {
  const std::string picture = read_file(kSource / "examples/site.jpg");
  const auto with = [&](const std::string& script, std::chrono::milliseconds wall = std::chrono::seconds(20)) {
    MediaDecoder decoder({.program = {"/bin/sh", "-c", script}, .wall_time = wall});
    const Error error = error_of([&] { (void)decoder.picture(picture, {}); });
    EXPECT_EQ(error_of([&] { (void)decoder.recording(picture); }).kind(), error.kind()) << script;
    EXPECT_EQ(decoder.started(), 2) << script;
    return error;
  };
  EXPECT_EQ(with("kill -SEGV $$").kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with("exit 0").kind(), ErrorKind::invalid_data);
  EXPECT_EQ(with("kill -XCPU $$").kind(), ErrorKind::limit);
  EXPECT_EQ(with("sleep 100", std::chrono::milliseconds(200)).kind(), ErrorKind::limit);
  // The question as answer, and zeros.
  EXPECT_NE(with("cat <&0 >&0").message(), "");
  EXPECT_EQ(with("head -c 4000 /dev/zero >&0; sleep 1").kind(), ErrorKind::invalid_data);
  MediaDecoder nowhere({.program = {"/no/such/program"}});
  EXPECT_EQ(error_of([&] { (void)nowhere.picture(picture, {}); }).kind(), ErrorKind::io);
}

// In a process of its own: which of these the sandbox lets through, as bits.
int allowed_in_sandbox() {
  const pid_t child = fork();
  if (child == 0) {
    decoding::enter_sandbox({.memory_bytes = int64_t{1} << 40});
    int allowed = 0;
    if (open("/etc/passwd", O_RDONLY) >= 0) allowed |= 1;
    if (open("/tmp/sensorium_sandbox_test", O_WRONLY | O_CREAT, 0600) >= 0) allowed |= 2;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) allowed |= 4;
    if (const pid_t forked = fork(); forked >= 0) {
      if (forked == 0) _exit(0);
      allowed |= 8;
    }
    if (kill(getppid(), 0) == 0) allowed |= 16;
    if (execl("/bin/true", "true", nullptr) == 0) allowed |= 32;
    _exit(allowed);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Decoding, TheSandboxLetsNothingThrough) { EXPECT_EQ(allowed_in_sandbox(), 0); }

TEST(Decoding, MemoryHasALimit) {
  if (!decoding::limits_memory()) GTEST_SKIP() << "a sanitizer needs the address space";
  const pid_t child = fork();
  if (child == 0) {
    decoding::enter_sandbox({.memory_bytes = int64_t{3} << 30});
    try {
      const std::vector<char> large(size_t{3} << 30, 'x');
      _exit(large.back() == 'x' ? 1 : 2);
    } catch (const std::bad_alloc&) {
      _exit(0);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Decoding, AServerLivesOnWhenDecodersBreak) {
  ServerOptions options = tiny_options();
  options.media.decoder.program = {"/bin/sh", "-c", "kill -SEGV $$"};
  const RunningServer server(std::move(options));
  const Json content = {{{"type", "image_url"}, {"image_url", {{"url", picture_url()}}}}};
  for (int i = 0; i < 3; ++i) {
    const Answer answer = server.chat({{"messages", {{{"role", "user"}, {"content", content}}}}});
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_NE(error_message(answer).find("picture cannot be read"), std::string::npos);
  }
  EXPECT_EQ(server.chat().status, 200);
}

TEST(Decoding, AServerWithDecodersSeesTheSame) {
  const auto text = [](DecoderOptions decoder) {
    ServerOptions options = tiny_options();
    options.media.decoder = std::move(decoder);
    const RunningServer server(std::move(options));
    const Json content = {{{"type", "image_url"}, {"image_url", {{"url", picture_url(3)}}}},
                          {{"type", "text"}, {"text", "what is it?"}}};
    const Answer answer = server.chat({{"messages", {{{"role", "user"}, {"content", content}}}}});
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json().at("choices").at(0).at("message").at("content").get<std::string>();
  };
  EXPECT_EQ(text(real_worker()), text({}));
}

// What a process of its own costs for a picture: printed; the bound is wide, as the machine may be busy.
TEST(SlowDecoding, CostOfAProcess) {
  MediaDecoder here({}), there(real_worker());
  media::Image large(4000, 3000);
  for (size_t i = 0; i < large.pixels.size(); ++i) large.pixels[i] = static_cast<uint8_t>(i * 2654435761U >> 24);
  for (const auto& [name, bytes] : {std::pair("site.jpg", read_file(kSource / "examples/site.jpg")),
                                    std::pair("12 megapixels", media::encode_jpeg(large, 90))}) {
    const auto median_ms = [&bytes = bytes](MediaDecoder& decoder) {
      std::vector<double> times;
      (void)decoder.picture(bytes, {});
      for (int i = 0; i < 9; ++i) {
        const auto start = std::chrono::steady_clock::now();
        (void)decoder.picture(bytes, {});
        times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
      }
      std::ranges::sort(times);
      return times[times.size() / 2];
    };
    const double alone = median_ms(here), apart = median_ms(there);
    std::printf("%s: %.2f ms here, %.2f ms in another process\n", name, alone, apart);
    EXPECT_LT(apart, 2 * alone + 20) << name;
  }
}

}  // namespace
}  // namespace sensorium::server
