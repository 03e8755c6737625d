#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/interrupt.h"
#include "base/threads.h"
#include "cli/command.h"

namespace sensorium::cli {

void add_ask(CLI::App& app);
void add_bench(CLI::App& app);
void add_chat(CLI::App& app);
void add_eval(CLI::App& app);
void add_inspect(CLI::App& app);
void add_train(CLI::App& app);
void add_validate(CLI::App& app);
void add_world(CLI::App& app);

namespace {

constexpr std::array<Command, 8> kCommands = {{
    {"ask", add_ask},
    {"chat", add_chat},
    {"train", add_train},
    {"eval", add_eval},
    {"inspect", add_inspect},
    {"bench", add_bench},
    {"validate", add_validate},
    {"world", add_world},
}};

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::interrupted:
      return 130;
    default:
      return 1;
  }
}

// One line, whatever the message holds.
void print_error(std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::fputs(fmt::format("sensorium: {}\n", message).c_str(), stderr);
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

std::filesystem::path find_model(const std::string& name) {
  if (name != "default") return name;
  std::vector<std::filesystem::path> places;
  if (const char* place = std::getenv("SENSORIUM_MODEL")) places.emplace_back(place);
  places.emplace_back(SENSORIUM_MODEL_DIR);
  places.emplace_back(SENSORIUM_INSTALL_MODEL_DIR);
  std::string tried;
  for (const std::filesystem::path& place : places) {
    if (std::filesystem::exists(place / "config.json")) return place;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail(ErrorKind::not_found, "the default model is in none of: {}; give --model DIR or set SENSORIUM_MODEL", tried);
}

std::unique_ptr<models::Model> open_model(const std::string& name) { return models::load_model(find_model(name)); }

int run(int argc, char** argv) {
  install_interrupt_handlers();
  CLI::App app("Sensorium: one program to ask, train, evaluate and inspect large multimodal models", "sensorium");
  app.set_version_flag("--version", SENSORIUM_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  sensorium ask \"How many people wear a helmet?\" photo.jpg\n"
      "  sensorium train recipes/tiny.yaml out=runs/tiny\n"
      "  sensorium eval --data test.jsonl --json\n"
      "Every command has its own --help.");
  int threads = 0;
  app.add_option("--threads", threads, "Threads to compute with (default: all processors, or SENSORIUM_THREADS)");
  app.parse_complete_callback([&] {
    if (threads != 0) set_thread_count(threads);
  });
  try {
    for (const Command& command : kCommands) command.add(app);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    print_error(fmt::format("{} (see sensorium --help)", error.what()));
    return 2;
  } catch (const Error& error) {
    print_error(error.message());
    return exit_code(error.kind());
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    return 1;
  } catch (const std::exception& error) {
    print_error(error.what());
    return 1;
  }
}

}  // namespace sensorium::cli
