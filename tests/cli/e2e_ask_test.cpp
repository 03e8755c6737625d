// Asking as a user does: the shipped model, good pictures and bad ones.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <sstream>

#include "base/json.h"
#include "cli/binary.h"
#include "media/decode.h"

namespace sensorium::cli {
namespace {

const std::string kExamples = std::string(SENSORIUM_SOURCE_DIR) + "/examples/";
const std::string kModel = std::string(SENSORIUM_SOURCE_DIR) + "/weights/default";

void write(const std::string& path, const std::string& bytes) { write_file_atomic(path, bytes); }

TEST(E2eAsk, PrintsTheContractsObject) {
  const TemporaryFolder folder;
  const Finished finished = run_binary({"ask", "How many people wear a safety helmet?", kExamples + "site.jpg",
                                        "--json", "--annotate", folder / "found.png"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json json = Json::parse(finished.out);
  EXPECT_TRUE(json.at("answer").is_string());
  for (const Json& box : json.at("boxes")) {
    EXPECT_TRUE(box.at("label").is_string());
    EXPECT_EQ(box.at("box").size(), 4u);
  }
  EXPECT_GT(json.at("tokens").at("prompt").get<int>(), 10);
  EXPECT_TRUE(json.at("timings_ms").contains("first_token"));
  const media::ImageInfo drawn = media::load_image_info(folder / "found.png");
  const media::ImageInfo given = media::load_image_info(kExamples + "site.jpg");
  EXPECT_EQ(drawn.width, given.width);
  EXPECT_EQ(drawn.height, given.height);
}

TEST(E2eAsk, SameSeedSameAnswer) {
  const auto ask = [&](const char* seed) {
    return run_binary({"ask", "Describe the picture.", kExamples + "shapes.png", "--temperature", "1", "--seed", seed})
        .out;
  };
  EXPECT_EQ(ask("3"), ask("3"));
}

TEST(E2eAsk, SamplesAreTheAnswersOfTheirSeeds) {
  const auto ask = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "ask", "Describe the picture.", kExamples + "shapes.png", "--json", "--temperature", "1.2", "--max-tokens",
        "24"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run_binary(arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return Json::parse(finished.out);
  };
  const Json all = ask({"--samples", "3", "--seed", "5"});
  ASSERT_EQ(all.at("samples").size(), 3u);
  EXPECT_EQ(all.at("answer"), all.at("samples")[0].at("answer"));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(all.at("samples")[i].at("answer"), ask({"--seed", std::to_string(5 + i)}).at("answer"));
  }
}

TEST(E2eAsk, LogProbabilitiesAndStopStrings) {
  const std::vector<std::string> question = {"ask", "Describe the picture.", kExamples + "shapes.png", "--json"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = question;
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run_binary(arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return Json::parse(finished.out);
  };
  const Json plain = with({"--logprobs", "2"});
  const auto answer = plain.at("answer").get<std::string>();
  ASSERT_EQ(plain.at("logprobs").size(), plain.at("tokens").at("generated").get<size_t>());
  for (const Json& token : plain.at("logprobs")) {
    EXPECT_LE(token.at("logprob").get<double>(), 0.0);
    ASSERT_EQ(token.at("top_logprobs").size(), 2u);
    EXPECT_EQ(token.at("top_logprobs")[0].at("id"), token.at("id"));  // greedy
  }
  ASSERT_GT(answer.size(), 8u);
  const std::string stop = answer.substr(4, 3);
  const Json stopped = with({"--stop", stop});
  EXPECT_EQ(stopped.at("answer").get<std::string>(), answer.substr(0, answer.find(stop)));
  EXPECT_EQ(stopped.at("finish_reason"), "stop");
  EXPECT_EQ(with({"--max-tokens", "2"}).at("finish_reason"), "length");
  // The first token can be forbidden.
  const std::string first = std::to_string(plain.at("logprobs")[0].at("id").get<int>());
  EXPECT_NE(with({"--logit-bias", first + "=-100", "--logprobs", "0"}).at("logprobs")[0].at("id"),
            plain.at("logprobs")[0].at("id"));
  EXPECT_EQ(with({"--cache-type", "q8"}).at("answer").get<std::string>().substr(0, 2), answer.substr(0, 2));
}

TEST(E2eAsk, AnswersInTheFormThatIsAskedFor) {
  const TemporaryFolder folder;
  const std::string schema =
      R"({"properties":{"count":{"type":"integer","minimum":0,"maximum":99},"what":{"enum":["helmet","head"]}},
          "required":["count","what"]})";
  write(folder / "schema.json", schema);
  for (const std::string& given : {schema, folder / "schema.json"}) {
    const Finished finished =
        run_binary({"ask", "How many people wear a safety helmet?", kExamples + "site.jpg", "--json-schema", given});
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    const Json answer = Json::parse(finished.out);
    EXPECT_LE(answer.at("count").get<int>(), 99);
    EXPECT_TRUE(answer.at("what") == "helmet" || answer.at("what") == "head");
  }
  write(folder / "yes.gbnf", "root ::= \"yes\" | \"no\"");
  const std::string out = run_binary({"ask", "Is water wet?", "--grammar", folder / "yes.gbnf"}).out;
  EXPECT_TRUE(out == "yes\n" || out == "no\n") << out;

  const auto refused = [](const std::vector<std::string>& more, int code, const char* part) {
    std::vector<std::string> arguments = {"ask", "What is it?"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_one_line_error(run_binary(arguments), code, part);
  };
  refused({"--json-schema", R"({"type":"array","uniqueItems":true})"}, 1, "uniqueItems");
  refused({"--json-schema", R"({"type":"integer","minimum":2,"maximum":1})"}, 2, "no text at all");
  refused({"--json-schema", "{"}, 1, "invalid JSON");
  refused({"--json-schema", folder / "none.json"}, 1, "none.json");
  refused({"--grammar", folder / "schema.json"}, 2, "line 1");
  refused({"--grammar", folder / "yes.gbnf", "--json-schema", schema}, 2, "--grammar");
  refused({"--logprobs", "2"}, 2, "--json");
  refused({"--logprobs", "21", "--json"}, 2, "--logprobs");
  refused({"--samples", "0"}, 2, "--samples");
  refused({"--stop", ""}, 2, "stop string");
  refused({"--min-p", "2"}, 2, "min-p");
  refused({"--repetition-penalty", "0"}, 2, "repetition penalty");
  refused({"--logit-bias", "5"}, 2, "TOKEN=BIAS");
  refused({"--logit-bias", "5=x"}, 2, "TOKEN=BIAS");
  refused({"--logit-bias", "99999999=1"}, 2, "99999999");
  refused({"--logit-bias", "5=101"}, 2, "logit bias");
  refused({"--cache-type", "q9"}, 2, "--cache-type");
}

TEST(E2eAsk, SeveralPicturesAndTextAlone) {
  EXPECT_EQ(run_binary({"ask", "Which is a digit?", kExamples + "digit.png", kExamples + "blocks.png"}).exit_code, 0);
  EXPECT_EQ(run_binary({"ask", "What is water?"}).exit_code, 0);
}

TEST(E2eAsk, NamesTheFileOfEachBoxAmongSeveral) {
  const Finished finished = run_binary(
      {"ask", "How many people wear a safety helmet?", kExamples + "digit.png", kExamples + "site.jpg", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  for (const Json& box : Json::parse(finished.out).at("boxes")) {
    const std::string file = box.at("file").get<std::string>();
    EXPECT_TRUE(file == kExamples + "digit.png" || file == kExamples + "site.jpg") << file;
  }
}

TEST(E2eAsk, ReadsTheQuestionFromStandardInput) {
  const std::string question = "What is water?";
  const Finished finished = run_binary({"ask", "-"}, {.input = question + "\n"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, run_binary({"ask", question}).out);
  expect_one_line_error(run_binary({"ask", "-"}), 2, "empty");
}

TEST(E2eAsk, StopsAtCtrlC) {
  EXPECT_EQ(interrupted_exit_code({"ask", "Describe the picture.", kExamples + "site.jpg"}), 130);
}

// The numbers of boxes that the lines "N boxes drawn into FILE" tell.
std::vector<size_t> told_boxes(const std::string& out) {
  std::vector<size_t> told;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" drawn into ") != std::string::npos) told.push_back(std::stoul(line));
  }
  return told;
}

TEST(E2eAsk, AnnotatesEveryPicture) {
  const TemporaryFolder folder;
  const std::vector<std::string> pictures = {kExamples + "cells.jpg", kExamples + "site.jpg"};
  std::vector<std::string> arguments = {"ask", "How many people wear a safety helmet?", pictures[0], pictures[1]};
  std::vector<std::string> as_json = arguments;
  as_json.push_back("--json");
  std::vector<size_t> expected(pictures.size());
  const Json answer = Json::parse(run_binary(as_json).out);
  for (const Json& box : answer.at("boxes")) ++expected[box.at("file") == pictures[0] ? 0 : 1];

  arguments.insert(arguments.end(), {"--annotate", folder / "found.png"});
  const Finished told = run_binary(arguments);
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(told_boxes(told.out), expected) << told.out;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const std::string drawn = folder / fmt::format("found-{}.png", i + 1);
    EXPECT_EQ(media::load_image_info(drawn).width, media::load_image_info(pictures[i]).width);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "found.png"));
}

// A wrong target is known before the model works: nothing has been answered.
TEST(E2eAsk, AnnotateRefusesWrongTargets) {
  const TemporaryFolder folder;
  const auto annotate = [&](const std::string& target, std::vector<std::string> pictures) {
    pictures.insert(pictures.begin(), {"ask", "What is it?", "--annotate", target});
    const Finished finished = run_binary(pictures);
    EXPECT_EQ(finished.out, "");
    return finished;
  };
  const std::string digit = kExamples + "digit.png";
  expect_one_line_error(annotate(folder / "found.jpg", {digit}), 2, ".png");
  expect_one_line_error(annotate(folder / "found.png", {}), 2, "--annotate");
  expect_one_line_error(annotate(folder / "none/found.png", {digit}), 1, "found.png");
  expect_one_line_error(annotate(folder / "found.png", {folder / "none.jpg"}), 1, "none.jpg");
  std::filesystem::create_directory(folder / "folder.png");
  expect_one_line_error(annotate(folder / "folder.png", {digit}), 1, "a directory");
  ASSERT_EQ(mkfifo((folder / "pipe.png").c_str(), 0600), 0);
  expect_one_line_error(annotate(folder / "pipe.png", {digit}), 1, "a pipe");
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "pipe.png"));
  size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) left += entry.exists() ? 1 : 0;
  EXPECT_EQ(left, 2u);  // the folder and the pipe
}

TEST(E2eAsk, BadInputIsOneClearLine) {
  const TemporaryFolder folder;
  const std::string site = read_file(kExamples + "site.jpg");
  write(folder / "cut.jpg", site.substr(0, site.size() / 2));
  write(folder / "empty.png", "");
  write(folder / "text.jpg", "This is no picture.\n");
  // A PNG header that claims 50,000 x 50,000 pixels.
  std::string huge = read_file(kExamples + "shapes.png").substr(0, 33);
  const std::string side = {0, 0, static_cast<char>(0xC3), 0x50};
  huge.replace(16, 4, side);
  huge.replace(20, 4, side);
  write(folder / "huge.png", huge);
  const auto ask = [](const std::string& file) { return run_binary({"ask", "What is it?", file}); };
  expect_one_line_error(ask(folder / "cut.jpg"), 1, "cut.jpg");
  expect_one_line_error(ask(folder / "empty.png"), 1, "empty.png");
  expect_one_line_error(ask(folder / "text.jpg"), 1, "text.jpg");
  expect_one_line_error(ask(folder / "huge.png"), 1, "huge.png");
  expect_one_line_error(ask(folder / "missing.jpg"), 1, "no such file");
  expect_one_line_error(ask(folder.path().string()), 1, "directory");
  expect_one_line_error(run_binary({"ask", "\xFF\xFE", kExamples + "site.jpg"}), 2, "UTF-8");
  expect_one_line_error(run_binary({"ask", ""}), 2, "empty");
  expect_one_line_error(run_binary({"ask", " \t "}), 2, "empty");
  expect_one_line_error(run_binary({"ask", kExamples + "site.jpg"}), 2, "question about it is missing");
  expect_one_line_error(run_binary({"ask", "x", "--seed", "-1"}), 2, "--seed");
  expect_one_line_error(run_binary({"ask", "x", "--max-tokens", "0"}), 2, "--max-tokens");
  expect_one_line_error(run_binary({"ask", "x", "--temperature", "-1"}), 2, "temperature");
  std::string long_question;
  for (int i = 0; i < 5000; ++i) long_question += "word ";
  expect_one_line_error(run_binary({"ask", long_question}), 1, "context");
}

// Whatever bits of a picture flip, the program answers or says what is wrong; it never dies.
TEST(E2eAsk, FlippedBitsAreAnswersOrErrors) {
  const TemporaryFolder folder;
  for (const char* name : {"site.jpg", "shapes.png"}) {
    const std::string good = read_file(kExamples + name);
    for (size_t i = 0; i < 6; ++i) {
      std::string bad = good;
      for (size_t k = 0; k < 5; ++k)
        bad[(i * 7919 + k * 104729 + 20) % bad.size()] ^= static_cast<char>(1 << (i + k) % 8);
      const std::string file = folder / (std::to_string(i) + name);
      write(file, bad);
      const Finished finished = run_binary({"ask", "What is it?", file});
      if (finished.exit_code != 0) expect_one_line_error(finished, 1, name);
    }
  }
}

TEST(E2eAsk, DamagedModelsAreNamed) {
  const TemporaryFolder folder;
  const std::string model = folder / "model";
  const auto fresh = [&] {
    std::filesystem::remove_all(model);
    std::filesystem::copy(kModel, model);
  };
  const auto ask = [&] { return run_binary({"ask", "x", "--model", model}); };
  expect_one_line_error(ask(), 1, "no such model folder");
  fresh();
  const std::string weights = read_file(model + "/model.safetensors");
  write(model + "/model.safetensors", weights.substr(0, weights.size() - 100));
  expect_one_line_error(ask(), 1, "model.safetensors");
  // The header of another file: its offsets and types do not fit the bytes that follow.
  const auto with_header = [&](const std::string& header) {
    std::string bytes(8, 0);
    const uint64_t size = header.size();
    std::memcpy(bytes.data(), &size, sizeof(size));
    write(model + "/model.safetensors", bytes + header + std::string(64, 0));
  };
  with_header(
      R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"b":{"dtype":"F32","shape":[8],"data_offsets":[16,48]}})");
  expect_one_line_error(ask(), 1, "overlap");
  with_header(R"({"a":{"dtype":"C128","shape":[4],"data_offsets":[0,64]}})");
  expect_one_line_error(ask(), 1, "C128");
  fresh();
  Json config = Json::parse(read_file(model + "/config.json"));
  config["decoder"]["dim"] = config["decoder"]["dim"].get<int>() * 2;
  write(model + "/config.json", config.dump());
  expect_one_line_error(ask(), 1, "shape");
  config["decoder"].erase("dim");
  write(model + "/config.json", config.dump());
  expect_one_line_error(ask(), 1, "\"dim\" is missing");
  config["decoder"]["dim"] = "wide";
  write(model + "/config.json", config.dump());
  expect_one_line_error(ask(), 1, "expected an integer");
}

TEST(E2eInspect, SaysWhatTheModelIs) {
  const Finished finished = run_binary({"inspect", "default", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const Json json = Json::parse(finished.out);
  EXPECT_GT(json.at("parameters").get<int64_t>(), 1'000'000);
  EXPECT_EQ(json.at("family"), "sensorium");
  EXPECT_FALSE(json.at("licence").get<std::string>().empty());
}

}  // namespace
}  // namespace sensorium::cli
