#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>

#include "base/interrupt.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/media_files.h"
#include "cli/options.h"
#include "generate/generate.h"
#include "models/open.h"

namespace sensorium::cli {
namespace {

// Old turns go before the answer has fewer tokens than this.
constexpr int64_t kAnswerRoom = 32;

struct ChatOptions {
  std::string model = "default";
  models::LoadOptions load;
  GenerateFlags generate;
};

class Conversation {
 public:
  Conversation(const models::Model& model, const models::ModelFamily& family, generate::GenerateOptions options)
      : model_(model), family_(family), options_(std::move(options)) {}

  void start_over() {
    messages_.clear();
    waiting_.clear();
  }

  // The picture or recording goes with the next message.
  void show(const std::string& file, const std::string& as) {
    for (models::ChatPart& part : load_media_parts(file, {.as = as, .depth_unit = "", .family = &family_}))
      waiting_.push_back(std::move(part));
  }

  // Prints the answer. If it fails, nothing has been said, and files still wait.
  void say(const std::string& text) {
    std::vector<models::ChatMessage> messages = messages_;
    messages.push_back({.role = "user", .parts = waiting_});
    messages.back().parts.push_back({.text = repair_utf8(text), .image = nullptr});
    const std::unique_ptr<models::ChatSession> session = start(messages);
    const generate::Generated result = generate::generate(*session, options_, [](std::string_view piece) {
      std::fwrite(piece.data(), 1, piece.size(), stdout);
      std::fflush(stdout);
    });
    std::fputc('\n', stdout);
    std::fflush(stdout);
    messages.push_back({.role = "assistant", .parts = {{.text = result.answer.text, .image = nullptr}}});
    messages_ = std::move(messages);
    waiting_.clear();
  }

 private:
  // Drops the oldest turns, each a question and its answer, until the rest leaves room in the model's context.
  std::unique_ptr<models::ChatSession> start(std::vector<models::ChatMessage>& messages) const {
    const size_t all = messages.size();
    for (;; messages.erase(messages.begin(), messages.begin() + 2)) {
      const bool last = messages.size() == 1;
      try {
        std::unique_ptr<models::ChatSession> session = model_.start(messages);
        if (!last && session->room() < std::min(kAnswerRoom, options_.max_tokens)) continue;
        if (messages.size() < all)
          std::fputs("(the oldest turns no longer fit and are forgotten; /new starts over)\n", stderr);
        return session;
      } catch (const Error& error) {
        if (last || error.kind() != ErrorKind::limit) throw;
      }
    }
  }

  const models::Model& model_;
  const models::ModelFamily& family_;
  generate::GenerateOptions options_;
  std::vector<models::ChatMessage> messages_;
  std::vector<models::ChatPart> waiting_;
};

struct ChatCommand {
  const char *name, *argument, *help;
  // False: the conversation is over.
  bool (*run)(Conversation& conversation, const std::string& argument);
};

std::string commands_help();

constexpr std::array<ChatCommand, 9> kChatCommands = {{
    {"/image", "FILE", "show a picture with your next message",
     [](Conversation& conversation, const std::string& file) {
       require(!file.empty(), ErrorKind::usage, "/image needs the name of a picture: /image FILE");
       conversation.show(file, "image");
       return true;
     }},
    {"/audio", "FILE", "let hear a sound with your next message",
     [](Conversation& conversation, const std::string& file) {
       require(!file.empty(), ErrorKind::usage, "/audio needs the name of a sound: /audio FILE");
       conversation.show(file, "audio");
       return true;
     }},
    {"/imu", "FILE", "give motion sensors with your next message",
     [](Conversation& conversation, const std::string& file) {
       require(!file.empty(), ErrorKind::usage, "/imu needs the name of a recording: /imu FILE");
       conversation.show(file, "imu");
       return true;
     }},
    {"/thermal", "FILE", "show a picture of a thermal camera with your next message",
     [](Conversation& conversation, const std::string& file) {
       require(!file.empty(), ErrorKind::usage, "/thermal needs the name of a picture: /thermal FILE");
       conversation.show(file, "thermal");
       return true;
     }},
    {"/video", "FILE", "show a film with your next message",
     [](Conversation& conversation, const std::string& file) {
       require(!file.empty(), ErrorKind::usage, "/video needs the name of a film: /video FILE");
       conversation.show(file, "video");
       return true;
     }},
    {"/depth", "FILE", "show a depth picture with your next message",
     [](Conversation& conversation, const std::string& file) {
       require(!file.empty(), ErrorKind::usage, "/depth needs the name of a picture: /depth FILE");
       conversation.show(file, "depth");
       return true;
     }},
    {"/new", "", "start over",
     [](Conversation& conversation, const std::string&) {
       conversation.start_over();
       return true;
     }},
    {"/help", "", "list these commands",
     [](Conversation&, const std::string&) {
       std::fputs(commands_help().c_str(), stdout);
       return true;
     }},
    {"/quit", "", "leave (also Ctrl-D)", [](Conversation&, const std::string&) { return false; }},
}};

std::string commands_help() {
  std::string help;
  for (const ChatCommand& command : kChatCommands)
    help += fmt::format("  {:<9}{:<6}{}\n", command.name, command.argument, command.help);
  return help;
}

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// A line that begins with a slash. False: the conversation is over.
bool obey(Conversation& conversation, const std::string& line) {
  const std::string name = line.substr(0, line.find_first_of(" \t"));
  std::vector<std::string> names;
  for (const ChatCommand& command : kChatCommands) {
    if (name == command.name) return command.run(conversation, trimmed(line.substr(name.size())));
    names.emplace_back(command.name);
  }
  const std::string near = nearest_match(name, names);
  fail(ErrorKind::usage, "there is no command {}; {}", name,
       near.empty() ? "/help lists them" : fmt::format("did you mean {}?", near));
}

void chat(const ChatOptions& options) {
  check_generate_flags(options.generate);  // wrong settings are said once, not at every answer
  const std::unique_ptr<models::Checkpoint> checkpoint =
      models::Checkpoint::open(find_model(options.model), options.load);
  const std::unique_ptr<models::Model> model = models::load_model(*checkpoint);
  model->configure_cache(cache_options(options.generate));
  generate::GenerateOptions generate = generate_options(options.generate, model->tokenizer());
  const bool terminal = ::isatty(STDIN_FILENO) != 0;
  if (terminal) std::fputs(fmt::format("Chat with {}.\n{}", options.model, commands_help()).c_str(), stdout);
  Conversation conversation(*model, models::family_of(*checkpoint), std::move(generate));
  for (std::string line; !interrupted();) {
    if (terminal) std::fputs("> ", stdout), std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    const std::string text = trimmed(line);
    if (text.empty()) continue;
    try {
      if (text[0] != '/') {
        conversation.say(text);
      } else if (!obey(conversation, text)) {
        break;
      }
    } catch (const Error& error) {
      print_error(error.message());  // A wrong file or an answer that does not fit must not end the conversation.
    }
  }
  if (terminal) std::fputc('\n', stdout);
  check_interrupted();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* command = app.add_subcommand("chat", "Talk with a model in the terminal");
  command->add_option("--model,-m", options->model, "Folder or GGUF file of the model")->capture_default_str();
  add_load_options(*command, options->load);
  add_generate_options(*command, options->generate);
  command->footer("In the conversation:\n" + commands_help() +
                  "When the model's context is full, the oldest turns are forgotten.\n"
                  "Examples:\n"
                  "  sensorium chat --model runs/mine/model\n"
                  "  printf '/image photo.jpg\\nWhat is this?\\n' | sensorium chat");
  command->callback([options] { chat(*options); });
}

}  // namespace sensorium::cli
