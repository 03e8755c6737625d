// Every line of the table of verbs, and what holds for all of them.
#include "cli/command.h"

#include <gtest/gtest.h>

#include <set>

#include "cli/binary.h"

namespace sensorium::cli {
namespace {

TEST(Commands, TheTableIsSound) {
  std::set<std::string> names;
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    CLI::App app;
    command.add(app);
    const std::vector<CLI::App*> verbs = app.get_subcommands({});
    ASSERT_EQ(verbs.size(), 1u) << command.name;
    EXPECT_EQ(verbs[0]->get_name(), command.name);
    EXPECT_FALSE(verbs[0]->get_description().empty()) << command.name;
    for (const CLI::Option* option : verbs[0]->get_options())
      EXPECT_FALSE(option->get_description().empty()) << command.name << " " << option->get_name();
  }
}

TEST(E2eCommands, EveryVerbHasHelpWithAnExample) {
  for (const Command& command : commands()) {
    const Finished finished = run_binary({command.name, "--help"});
    EXPECT_EQ(finished.exit_code, 0) << command.name;
    EXPECT_NE(finished.out.find("Example"), std::string::npos) << finished.out;
    EXPECT_NE(finished.out.find(std::string("sensorium ") + command.name), std::string::npos) << finished.out;
  }
}

TEST(E2eCommands, UnknownOnesAreNamed) {
  expect_one_line_error(run_binary({"asq", "What is it?", "a.jpg"}), 2, "\"asq\"; did you mean \"ask\"");
  expect_one_line_error(run_binary({"frobnicate"}), 2, "the commands are: ask, chat");
  expect_one_line_error(run_binary({"--jsn"}), 2, "no option \"--jsn\"");
  expect_one_line_error(run_binary({}), 2, "ask, chat");
  expect_one_line_error(run_binary({"ask", "What is it?", "--jsn"}), 2, "--jsn");
}

TEST(E2eCommands, OptionsOfTheProgramStandBeforeOrAfterTheVerb) {
  EXPECT_EQ(run_binary({"inspect", "--threads", "1"}).exit_code, 0);
  EXPECT_EQ(run_binary({"--threads", "1", "inspect"}).exit_code, 0);
  expect_one_line_error(run_binary({"inspect", "--threads", "0"}), 2, "1..256");
  // A word of the question is no verb.
  EXPECT_EQ(run_binary({"ask", "train", "--max-tokens", "1"}).exit_code, 0);
}

TEST(E2eCommands, AWrongModelInTheEnvironmentIsNotPassedOver) {
  const Finished finished = run_binary({"inspect"}, {.environment = {"SENSORIUM_MODEL=/none"}});
  expect_one_line_error(finished, 2, "SENSORIUM_MODEL is \"/none\"");
}

// What was printed into a full disk is lost, and the exit code says so.
TEST(E2eCommands, LostOutputIsAFailure) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_binary({"world", folder / "w", "--count", "1", "--kinds", "digits"}).exit_code, 0);
  const std::vector<std::vector<std::string>> commands = {{"--help"},
                                                          {"--version"},
                                                          {"ask", "What is water?"},
                                                          {"ask", "What is water?", "--json"},
                                                          {"chat"},
                                                          {"inspect", "--json"},
                                                          {"validate", folder / "w/train.jsonl"},
                                                          {"world", folder / "v", "--count", "1", "--json"}};
  for (const std::vector<std::string>& arguments : commands) {
    SCOPED_TRACE(arguments[0]);
    const Finished finished = run_binary(arguments, {.input = "What is water?\n", .output = "/dev/full"});
    expect_one_line_error(finished, 1, "cannot write the output");
  }
}

}  // namespace
}  // namespace sensorium::cli
