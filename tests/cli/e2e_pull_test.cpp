// `fetch-plan` and `pull` against a hub on loopback.
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/sha256.h"
#include "cli/binary.h"
#include "hub/loopback_server.h"

namespace sensorium::cli {
namespace {

// A hub with one repository of three files.
class E2ePull : public ::testing::Test {
 protected:
  hub::ServerReply answer(const hub::ServerRequest& request) {
    const std::string files = "/o/n/resolve/c0ffee/";
    if (request.path == "/api/models/o/n/revision/main?blobs=true") return {.body = listing().dump()};
    if (request.path == files + "config.json") return hub::file_reply(request, config_, "\"c\"");
    if (request.path == files + "model.safetensors") {
      hub::ServerReply reply = hub::file_reply(request, weights_, "\"w\"");
      if (stall_ && request.offset() == 0) {
        reply.sent = weights_.size() / 2;
        reply.stall = true;
      }
      return reply;
    }
    return {.status = 404};
  }
  Json listing() const {
    return {{"sha", "c0ffee"},
            {"siblings",
             {{{"rfilename", "README.md"}, {"size", 3}},
              {{"rfilename", "config.json"}, {"size", config_.size()}},
              {{"rfilename", "model.safetensors"},
               {"size", weights_.size()},
               {"lfs", {{"sha256", to_hex(sha256(weights_))}, {"size", weights_.size()}}}}}}};
  }

  std::string config_ = "{}", weights_ = std::string(200'000, 'w');
  std::atomic<bool> stall_{false};
  hub::LoopbackServer server_{[this](const hub::ServerRequest& request) { return answer(request); }};
  TemporaryFolder folder_;
};

TEST_F(E2ePull, DownloadsChecksAndDoesNothingTwice) {
  const std::string to = folder_ / "model";
  const Surroundings hub{.environment = {"SENSORIUM_HUB=" + server_.address()}};
  Finished finished = run_binary({"pull", "o/n", "--to", to}, hub);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_NE(finished.out.find("model.safetensors: 200.0 kB, sha256 is right"), std::string::npos) << finished.out;
  EXPECT_NE(finished.out.find("config.json: 2 B, the size is right"), std::string::npos) << finished.out;
  EXPECT_EQ(read_file(to + "/model.safetensors"), weights_);
  EXPECT_FALSE(std::filesystem::exists(to + "/README.md"));
  const size_t before = server_.requests().size();
  finished = run_binary({"pull", "o/n", "--to", to, "--json"}, hub);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  const Json json = Json::parse(finished.out);
  EXPECT_TRUE(json.at("files").at(1).at("was_there").get<bool>());
  EXPECT_EQ(server_.requests().size() - before, 1u);  // the listing
}

TEST_F(E2ePull, APlanInAFile) {
  Finished finished = run_binary({"fetch-plan", "o/n", "--online", "--json", "--hub", server_.address()});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  const std::string plan = folder_ / "plan.json";
  Json json = Json::parse(finished.out);
  write_file_atomic(plan, json.dump());
  finished = run_binary({"pull", plan, "--to", folder_ / "model"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(read_file(folder_ / "model/model.safetensors"), weights_);

  json["files"][1]["sha256"] = to_hex(sha256("another"));
  write_file_atomic(plan, json.dump());
  expect_one_line_error(run_binary({"pull", plan, "--to", folder_ / "other"}), 1, "sha256 is");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other/model.safetensors"));
  json["files"][0]["path"] = "../outside.json";
  write_file_atomic(plan, json.dump());
  expect_one_line_error(run_binary({"pull", plan, "--to", folder_ / "other"}), 1, "is no path inside");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "outside.json"));
}

TEST_F(E2ePull, CtrlCKeepsThePart) {
  stall_ = true;
  const std::string to = folder_ / "model", part = to + "/model.safetensors.part";
  const pid_t child = start_binary({"pull", "o/n", "--to", to, "--hub", server_.address()});
  std::error_code none;
  for (int i = 0; i < 3000 && std::filesystem::file_size(part, none) != weights_.size() / 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGINT);
  EXPECT_EQ(wait_for_exit(child), 130);
  EXPECT_EQ(std::filesystem::file_size(part, none), weights_.size() / 2);
  stall_ = false;
  const Finished finished = run_binary({"pull", "o/n", "--to", to, "--hub", server_.address()});
  EXPECT_NE(finished.out.find("(went on at 100.0 kB)"), std::string::npos) << finished.out << finished.err;
  EXPECT_EQ(read_file(to + "/model.safetensors"), weights_);
}

TEST_F(E2ePull, NothingIsAskedWithoutAHub) {
  const Surroundings none{.environment = {"SENSORIUM_HUB="}};
  expect_one_line_error(run_binary({"pull", "llava-1.5-7b", "--to", folder_ / "model"}, none), 2, "no hub is built in");
  expect_one_line_error(run_binary({"fetch-plan", "llava-1.5-7b", "--online"}, none), 2, "no hub is built in");
  expect_one_line_error(run_binary({"fetch-plan", "llava-1.5-7c"}, none), 1, "did you mean \"llava-1.5-7b\"");
  expect_one_line_error(run_binary({"pull", "o/m", "--to", folder_ / "model", "--hub", server_.address()}, none), 1,
                        "/api/models/o/m/revision/main?blobs=true: the server answers 404");
  const Finished table = run_binary({"fetch-plan"}, none), one = run_binary({"fetch-plan", "llava-1.5-7b"}, none);
  EXPECT_NE(table.out.find("llava-hf/llava-1.5-7b-hf"), std::string::npos) << table.out;
  EXPECT_NE(one.out.find("licence: Llama 2 Community License"), std::string::npos) << one.out;
}

}  // namespace
}  // namespace sensorium::cli
