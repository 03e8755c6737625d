// `sensorium serve` as a process: the official clients run unchanged, replicas work together, signals are obeyed.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/binary.h"
#include "server/http_client.h"

namespace sensorium::cli {
namespace {

// A server on a free port until the end of the test.
class ServeProcess {
 public:
  explicit ServeProcess(std::vector<std::string> more = {}, rlim_t file_limit = RLIM_INFINITY) {
    std::vector<std::string> arguments = {"serve",   "--port",     "0",
                                          "--quiet", "--database", folder_ / "conversations.db"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    child_ = start_binary(arguments, {.file_limit = file_limit, .output = folder_ / "out", .errors = folder_ / "err"});
    const bool said = server::eventually([&] { return read_file(folder_ / "out").find('\n') != std::string::npos; });
    EXPECT_TRUE(said) << read_file(folder_ / "err");
    if (said) {
      const std::string line = read_file(folder_ / "out");
      port_ = std::atoi(line.c_str() + line.find(':', line.find("://") + 3) + 1);
      const bool plain = line.find("http://") != std::string::npos;
      EXPECT_TRUE(!plain || server::eventually([&] { return server::ask_once(port_, "GET", "/ready").status == 200; }));
    }
  }
  ~ServeProcess() {
    if (child_ > 0) end(SIGKILL);
  }
  int port() const { return port_; }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int end(int signal) {
    kill(child_, signal);
    return wait_for_exit(std::exchange(child_, -1));
  }

 private:
  TemporaryFolder folder_;
  pid_t child_ = -1;
  int port_ = 0;
};

// Runs a shell command and gives its exit code; what it printed becomes part of a failure.
int run_shell(const std::string& command, std::string& output) {
  const TemporaryFolder folder;
  const int status = std::system((command + " >'" + folder / "out" + "' 2>&1").c_str());
  output = read_file(folder / "out");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const std::string kSource = SENSORIUM_SOURCE_DIR;

TEST(E2eServe, OfficialClientsRunUnchanged) {
  const ServeProcess serving;
  const TemporaryFolder folder;
  const std::string ffmpeg = "ffmpeg -v error -f lavfi -i sine=f=440:d=2 ",
                    pictures = "-f lavfi -i testsrc=s=96x64:r=10:d=2 ";
  std::string output, sounds;
  for (const char* name : {"tone.wav", "tone.m4a", "tone.webm", "tone.ogg", "tone.mp3"}) {
    ASSERT_EQ(run_shell(ffmpeg + folder / name, output), 0) << output;
    sounds += " " + folder / name;
  }
  ASSERT_EQ(run_shell(ffmpeg + pictures + "-c:v mpeg4 " + folder / "film.mp4", output), 0) << output;
  const char* python = std::getenv("SENSORIUM_TEST_PYTHON");
  const int code = run_shell(std::string(python == nullptr ? "python3" : python) + " -B '" + kSource +
                                 "/tools/conformance/clients.py' " + serving.address() + " default '" + kSource +
                                 "/examples/site.jpg' --embedder default --hearer default --sound" + sounds +
                                 " --watcher default --film " + folder / "film.mp4",
                             output);
  if (code == 77) GTEST_SKIP() << output;
  EXPECT_EQ(code, 0) << output;
}

TEST(E2eServe, ReplicasShareTheirState) {
  std::string output;
  const int code = run_shell("'" + kSource + "/deploy/test_replicas.sh' '" + binary().string() + "'", output);
  if (code == 77) GTEST_SKIP() << output;
  EXPECT_EQ(code, 0) << output;
}

TEST(E2eServe, FilesForDeploymentFitTheProgram) {
  std::string output;
  const int code =
      run_shell("/usr/bin/python3 -B '" + kSource + "/deploy/check.py' '" + binary().string() + "'", output);
  if (code == 77) GTEST_SKIP() << output;
  EXPECT_EQ(code, 0) << output;
}

// https, a hashed key with a limit, files of a folder: all at once, as curl sees it.
TEST(E2eServe, TlsKeysLimitsAndTheFolderOfMedia) {
  const TemporaryFolder folder;
  std::string output;
  const std::string key = folder / "key.pem", certificate = folder / "cert.pem";
  ASSERT_EQ(
      run_shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2 "
                "-keyout " +
                    key + " -out " + certificate,
                output),
      0)
      << output;
  const std::string made = run_binary({"serve", "--new-key", "ann"}).out;
  const std::string secret = made.substr(made.find("sk-"), made.find('\n') - made.find("sk-"));
  const size_t line = made.find("ann ");
  write_file_atomic(folder / "keys", made.substr(line, made.find('\n', line) - line) + " rpm=3\n");
  EXPECT_EQ(read_file(folder / "keys").find(secret), std::string::npos);
  std::filesystem::create_directory(folder / "media");
  std::filesystem::copy(kSource + "/examples/digit.png", folder / "media/digit.png");
  const ServeProcess serving(
      {"--tls-cert", certificate, "--tls-key", key, "--keys", folder / "keys", "--media-path", folder / "media"});
  const std::string address = "https://localhost:" + std::to_string(serving.port());
  const auto curl = [&](const std::string& more) {
    EXPECT_EQ(run_shell("curl -s -w '\\n%{http_code}' --cacert " + certificate + " " + more, output), 0) << output;
    return output.substr(output.rfind('\n') + 1);
  };
  const auto ask = [&](const std::string& file, const std::string& with) {
    const std::string body = R"({"model":"default","max_tokens":4,"messages":[{"role":"user","content":[)"
                             R"({"type":"image_url","image_url":{"url":"file:///)" +
                             file + R"("}},{"type":"text","text":"What is it?"}]}]})";
    return curl("-H 'Authorization: Bearer " + with + "' -d '" + body + "' " + address + "/v1/chat/completions");
  };
  EXPECT_EQ(curl(address + "/health"), "200");
  EXPECT_EQ(curl(address + "/v1/models"), "401");
  EXPECT_EQ(ask("digit.png", secret + "x"), "401");
  EXPECT_EQ(ask("digit.png", secret), "200") << output;
  EXPECT_EQ(ask("../keys", secret), "404") << output;
  EXPECT_EQ(ask("none.png", secret), "404") << output;
  EXPECT_EQ(ask("digit.png", secret), "429") << output;
}

TEST(E2eServe, SignalsEndItInOrder) {
  for (const int signal : {SIGINT, SIGTERM}) {
    ServeProcess serving;
    EXPECT_EQ(server::ask_once(serving.port(), "GET", "/").status, 200);
    EXPECT_EQ(serving.end(signal), 0);
  }
}

TEST(E2eServe, AFullDiskIsSaidAndSurvived) {
  const ServeProcess serving({}, rlim_t{1} << 20);
  const std::string form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n" +
                           std::string(2 << 20, 'x') + "\r\n--b--\r\n";
  const auto post = [&](const std::string& path, const std::string& body, const std::string& headers) {
    return server::ask_once(serving.port(), "POST", path, body, headers);
  };
  EXPECT_EQ(post("/v1/files", form, "Content-Type: multipart/form-data; boundary=b\r\n").status, 507);
  const server::Answer put = server::ask_once(serving.port(), "PUT", "/api/conversations/a", "{\"title\":\"t\"}");
  EXPECT_EQ(put.status, 200) << put.body;
  const std::string large = R"({"role":"user","content":")" + std::string(3 << 20, 'x') + R"("})";
  EXPECT_EQ(server::ask_once(serving.port(), "PUT", "/api/conversations/a/messages/m", large).status, 503);
  EXPECT_EQ(
      server::ask_once(serving.port(), "PUT", "/api/conversations/a/messages/n", R"({"role":"user","content":"x"})")
          .status,
      200);
  EXPECT_EQ(server::ask_once(serving.port(), "GET", "/api/conversations/a").json().at("messages").size(), 1U);
}

TEST(E2eServe, SaysWhatIsWrongBeforeItServes) {
  expect_one_line_error(run_binary({"serve", "--host", "0.0.0.0"}), 2, "--keys");
  expect_one_line_error(run_binary({"serve", "--model", "/nowhere"}), 1, "/nowhere");
  expect_one_line_error(run_binary({"serve", "--model", "default", "--model", "default"}), 2, "two models are named");
  expect_one_line_error(run_binary({"serve", "--tls-cert", "x"}), 2, "--tls-key");
  expect_one_line_error(run_binary({"serve", "--keys", "/nowhere"}), 1, "/nowhere");
  expect_one_line_error(run_binary({"serve", "--host", "no such host"}), 2, "no such host");
  const ServeProcess serving;
  expect_one_line_error(run_binary({"serve", "--database", "none", "--port", std::to_string(serving.port())}), 1,
                        "cannot listen");
}

TEST(E2eServe, MakesKeys) {
  const Finished made = run_binary({"serve", "--new-key", "ann"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(made.out.find("sk-"), std::string::npos);
}

}  // namespace
}  // namespace sensorium::cli
