// POST /api/search over a folder, and the folder's files.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "server/running_server.h"
#include "temporary_folder.h"

namespace sensorium::server {
namespace {

namespace fs = std::filesystem;

const fs::path kImageBind = fs::path(SENSORIUM_SOURCE_DIR) / "tests/golden/models/imagebind";

class Search : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "trips & more");
    fs::copy(kImageBind / "picture0.png", folder_ / "trips & more/first.png");
    fs::copy(kImageBind / "picture1.png", folder_ / "second.png");
    fs::copy(kImageBind / "short.wav", folder_ / "bark.wav");
    write_file_atomic(folder_ / "broken.jpg", "no picture");
    write_file_atomic(outside_ / "secret.png", "outside");
    fs::create_symlink(outside_ / "secret.png", folder_ / "link.png");
    write_file_atomic(folder_ / ".hidden.png", "hidden");
    write_file_atomic(folder_ / "list.csv", "1,2");
  }

  ServerOptions options() const {
    ServerOptions options = tiny_options();
    options.models = {{.name = "tiny"}, {.name = "imagebind"}};
    options.load = [](const ModelSource& source) {
      return source.name == "tiny" ? shared_tiny_model() : models::load_model(kImageBind, DType::f32);
    };
    options.search = {.folder = folder_, .place = outside_ / "index", .model = "imagebind"};
    return options;
  }
  static std::vector<std::string> names(const Json& answer) {
    std::vector<std::string> names;
    for (const Json& result : answer.at("results")) names.push_back(result.at("name"));
    return names;
  }
  // Waits until the folder has been read.
  static Json search(const RunningServer& server, Json body) {
    Json json;
    EXPECT_TRUE(eventually([&] {
      const Answer answer = server.post("/api/search", body);
      EXPECT_EQ(answer.status, 200) << answer.body;
      json = answer.json();
      return json.at("unread") == 0;
    }));
    return json;
  }
  static std::string sound() { return "data:audio/wav;base64," + base64_encode(read_file(kImageBind / "short.wav")); }

  const TemporaryFolder temporary_;
  const fs::path outside_ = temporary_.path(), folder_ = outside_ / "media";
};

TEST_F(Search, FindsTheNearestAndSaysWhereTheyAre) {
  const RunningServer server(options());
  const Json found = search(server, {{"query", sound()}});
  ASSERT_EQ(names(found).size(), 3U) << found;
  EXPECT_EQ(found.at("files"), 3);
  const Json& first = found.at("results").at(0);
  EXPECT_EQ(first.at("name"), "bark.wav");
  EXPECT_EQ(first.at("type"), "audio/wav");
  EXPECT_NEAR(first.at("score").get<double>(), 1, 1e-4);
  // A sound finds pictures.
  const Json pictures = search(server, {{"query", sound()}, {"senses", {"image"}}, {"limit", 1}});
  ASSERT_EQ(names(pictures).size(), 1U);
  EXPECT_EQ(pictures.at("results").at(0).at("type"), "image/png");
  // A part of a message, a text, and both.
  const Json picture = {
      {"type", "image_url"},
      {"image_url", {{"url", "data:image/png;base64," + base64_encode(read_file(kImageBind / "picture0.png"))}}}};
  const Json by_picture = search(server, {{"query", picture}});
  EXPECT_EQ(names(by_picture).at(0), "trips & more/first.png");
  const std::string url = by_picture.at("results").at(0).at("url");
  EXPECT_EQ(url, "/api/search/files/trips%20%26%20more/first.png");
  EXPECT_EQ(ask_once(server.port(), "GET", url).body, read_file(kImageBind / "picture0.png"));
  EXPECT_EQ(names(search(server, {{"query", "a dog"}})).size(), 3U);
  EXPECT_EQ(names(search(server, {{"query", {picture, {{"type", "text"}, {"text", "a dog"}}}}})).size(), 3U);
  const Json state = ask_once(server.port(), "GET", "/api/search").json();
  EXPECT_EQ(state.at("searchable"), true);
  EXPECT_EQ(state.at("senses").size(), 7U);
}

TEST_F(Search, SeesWhatComesAndGoes) {
  const RunningServer server(options());
  EXPECT_EQ(names(search(server, {{"query", "a dog"}})).size(), 3U);
  fs::copy(kImageBind / "picture2.png", folder_ / "third.png");
  fs::remove(folder_ / "bark.wav");
  EXPECT_TRUE(eventually([&] {
    const std::vector<std::string> found = names(search(server, {{"query", "a dog"}}));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return found.size() == 3U && std::ranges::find(found, "third.png") != found.end();
  }));
}

TEST_F(Search, ServesTheFoldersFilesAndNoOthers) {
  const RunningServer server(options());
  const auto get = [&](const std::string& name, const std::string& headers = {}) {
    return ask_once(server.port(), "GET", "/api/search/files/" + name, {}, headers);
  };
  for (const char* name : {"link.png", ".hidden.png", "list.csv", "none.png", "../secret.png", "%2e%2e/secret.png", "/",
                           "..%2fsecret.png", "trips%20%26%20more", ".sensorium-index/index.db"}) {
    EXPECT_NE(get(name).status, 200) << name;
    EXPECT_EQ(get(name).body.find("outside"), std::string::npos) << name;
  }
  const std::string bytes = read_file(kImageBind / "picture1.png");
  const Answer whole = get("second.png");
  EXPECT_EQ(whole.body, bytes);
  EXPECT_EQ(whole.headers.at("Content-Type"), "image/png");
  EXPECT_EQ(whole.headers.at("X-Content-Type-Options"), "nosniff");
  const Answer part = get("second.png", "Range: bytes=10-19\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, bytes.substr(10, 10));
  EXPECT_EQ(part.headers.at("Content-Range"), "bytes 10-19/" + std::to_string(bytes.size()));
  EXPECT_EQ(get("second.png", "Range: bytes=-5\r\n").body, bytes.substr(bytes.size() - 5));
  EXPECT_EQ(get("second.png", "Range: bytes=5-\r\n").body, bytes.substr(5));
  EXPECT_EQ(get("second.png", "Range: bytes=99999999-\r\n").status, 416);
  for (const char* odd : {"bytes=a-b", "bytes=1-2,4-5", "lines=1-2", "bytes=", "bytes=9-1x"})
    EXPECT_EQ(get("second.png", "Range: " + std::string(odd) + "\r\n").body, bytes) << odd;
}

TEST_F(Search, RefusesWhatIsWrong) {
  const RunningServer server(options());
  for (const Json& body : {Json::object(), Json{{"query", ""}}, Json{{"query", Json::array()}}, Json{{"query", 5}},
                           Json{{"query", "x"}, {"limit", 0}}, Json{{"query", "x"}, {"senses", {"smell"}}},
                           Json{{"query", "data:image/png;base64,AAAA"}}, Json{{"query", {{"type", "image_url"}}}}}) {
    EXPECT_EQ(server.post("/api/search", body).status, 400) << body;
  }
}

TEST_F(Search, WithoutAFolderOrAModelThisIsSaid) {
  const RunningServer plain;
  EXPECT_EQ(plain.post("/api/search", {{"query", "x"}}).status, 404);
  EXPECT_EQ(ask_once(plain.port(), "GET", "/api/search").json().at("searchable"), false);
  EXPECT_EQ(ask_once(plain.port(), "GET", "/api/search/files/second.png").status, 404);
  ServerOptions wrong = options();
  wrong.search.model = "tiny";
  const RunningServer server(std::move(wrong));
  const Answer answer = server.post("/api/search", {{"query", "x"}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(error_message(answer).find("no embeddings"), std::string::npos);
  // The index of another model: without its path.
  fs::create_directories(outside_ / "index");
  write_file_atomic(outside_ / "index/index.db",
                    "no database, and long enough to be looked at as one by SQLite itself");
  const RunningServer damaged(options());
  const Answer refused = damaged.post("/api/search", {{"query", "x"}});
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body.find("index.db"), std::string::npos);
}

}  // namespace
}  // namespace sensorium::server
