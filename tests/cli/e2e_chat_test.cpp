// Conversations, their turns from a pipe.
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/binary.h"

namespace sensorium::cli {
namespace {

const std::string kSite = std::string(SENSORIUM_SOURCE_DIR) + "/examples/site.jpg";
const std::string kQuestion = "Describe the picture.";

Finished chat(const std::string& lines) { return run_binary({"chat", "--max-tokens", "16"}, {.input = lines}); }
std::string asked(const std::vector<std::string>& files) {
  std::vector<std::string> arguments = {"ask", kQuestion, "--max-tokens", "16"};
  arguments.insert(arguments.end(), files.begin(), files.end());
  return run_binary(arguments).out;
}
std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "the ";
  return text;
}

TEST(E2eChat, AnswersAsAskDoes) {
  // Spaces behind a name are not part of it.
  const Finished finished = chat("/image " + kSite + " \t\n" + kQuestion + "\n/new\n" + kQuestion + "\n/quit\nWhat?\n");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.err, "");
  EXPECT_EQ(finished.out, asked({kSite}) + asked({}));
}

TEST(E2eChat, WrongLinesGetAHintAndTheConversationGoesOn) {
  const Finished finished = chat("/image\n/imag x.jpg\n/xyzzy\n/image none.jpg\n/help\n" + kQuestion + "\n");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  for (const char* hint : {"/image FILE", "did you mean /image?", "/help lists them", "none.jpg"})
    EXPECT_NE(finished.err.find(hint), std::string::npos) << hint << "\n" << finished.err;
  for (const char* command : {"/image", "/new", "/help", "/quit"})
    EXPECT_NE(finished.out.find(command), std::string::npos) << command << "\n" << finished.out;
  EXPECT_TRUE(finished.out.ends_with(asked({}))) << finished.out;
}

TEST(E2eChat, APictureWaitsThroughAFailedTurn) {
  const Finished finished = chat("/image " + kSite + "\n" + words(5000) + "\n" + kQuestion + "\n");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_NE(finished.err.find("context"), std::string::npos) << finished.err;
  EXPECT_EQ(finished.out, asked({kSite}));
  EXPECT_NE(finished.out, asked({}));
}

TEST(E2eChat, ForgetsTheOldestTurnsWhenTheContextIsFull) {
  // Of three long turns in 1024 tokens, two do not fit together.
  const Finished finished = chat(words(600) + "\n" + words(700) + "\n" + words(600) + "\n");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_NE(finished.err.find("oldest turns"), std::string::npos) << finished.err;
  EXPECT_EQ(finished.err.find("sensorium:"), std::string::npos) << finished.err;
  EXPECT_GE(std::count(finished.out.begin(), finished.out.end(), '\n'), 3);
}

TEST(E2eChat, RefusesWrongSettingsAtOnce) {
  expect_one_line_error(run_binary({"chat", "--top-p", "2"}, {.input = "a\nb\n"}), 2, "top-p");
  expect_one_line_error(run_binary({"chat", "--top-k", "-1"}), 2, "--top-k");
}

}  // namespace
}  // namespace sensorium::cli
