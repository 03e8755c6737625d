#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "base/interrupt.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "generate/generate.h"
#include "media/decode.h"

namespace sensorium::cli {
namespace {

struct ChatOptions {
  std::string model = "default";
  generate::GenerateOptions generate;
};

constexpr const char* kHelp =
    "  /image FILE   show a picture with your next message\n"
    "  /new          start over\n"
    "  /quit         leave (also Ctrl-D)\n";

void chat(const ChatOptions& options) {
  const std::unique_ptr<models::Model> model = open_model(options.model);
  const bool terminal = ::isatty(STDIN_FILENO) != 0;
  if (terminal) std::fputs(fmt::format("Chat with {}.\n{}", options.model, kHelp).c_str(), stdout);
  std::vector<models::ChatMessage> messages;
  std::vector<models::ChatPart> pending;
  for (std::string line; !interrupted();) {
    if (terminal) std::fputs("> ", stdout), std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    if (line == "/quit") break;
    if (line == "/new") {
      messages.clear();
      pending.clear();
      continue;
    }
    if (line == "/help") {
      std::fputs(kHelp, stdout);
      continue;
    }
    // A wrong file or an answer that does not fit must not end the conversation.
    const std::vector<models::ChatMessage> before = messages;
    try {
      if (line.starts_with("/image ")) {
        pending.push_back({.text = {}, .image = std::make_shared<media::Image>(media::load_image(line.substr(7)))});
        continue;
      }
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      pending.push_back({.text = repair_utf8(line), .image = nullptr});
      messages.push_back({.role = "user", .parts = std::exchange(pending, {})});
      const std::unique_ptr<models::ChatSession> session = model->start(messages);
      const generate::Generated result = generate::generate(*session, options.generate, [](std::string_view piece) {
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        std::fflush(stdout);
      });
      std::fputc('\n', stdout);
      messages.push_back({.role = "assistant", .parts = {{.text = result.answer.text, .image = nullptr}}});
    } catch (const Error& error) {
      std::fputs(fmt::format("sensorium: {}\n", error.message()).c_str(), stderr);
      messages = before;
    }
  }
  if (terminal) std::fputc('\n', stdout);
  check_interrupted();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* command = app.add_subcommand("chat", "Talk with a model in the terminal");
  command->add_option("--model,-m", options->model, "Folder of the model")->capture_default_str();
  command->add_option("--temperature", options->generate.sampling.temperature, "0: always the likeliest token")
      ->capture_default_str();
  command
      ->add_option("--top-p", options->generate.sampling.top_p,
                   "Sample from the likeliest tokens of this total probability")
      ->capture_default_str();
  command->add_option("--seed", options->generate.sampling.seed, "The same seed gives the same answers")
      ->capture_default_str();
  command->add_option("--max-tokens", options->generate.max_tokens, "Longest answer")->capture_default_str();
  command->footer(std::string("In the conversation:\n") + kHelp);
  command->callback([options] { chat(*options); });
}

}  // namespace sensorium::cli
