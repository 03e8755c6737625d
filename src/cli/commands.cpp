#include <fmt/ranges.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/interrupt.h"
#include "base/threads.h"
#include "cli/command.h"

namespace sensorium::cli {

void add_ask(CLI::App& app);
void add_bench(CLI::App& app);
void add_chat(CLI::App& app);
void add_classify(CLI::App& app);
void add_convert(CLI::App& app);
void add_embed(CLI::App& app);
void add_eval(CLI::App& app);
void add_fetch_plan(CLI::App& app);
void add_inspect(CLI::App& app);
void add_locate(CLI::App& app);
void add_pull(CLI::App& app);
void add_quantize(CLI::App& app);
void add_search(CLI::App& app);
void add_serve(CLI::App& app);
void add_train(CLI::App& app);
void add_validate(CLI::App& app);
void add_world(CLI::App& app);

namespace {

constexpr std::array<Command, 17> kCommands = {{
    {"ask", add_ask},
    {"chat", add_chat},
    {"serve", add_serve},
    {"embed", add_embed},
    {"classify", add_classify},
    {"search", add_search},
    {"locate", add_locate},
    {"train", add_train},
    {"eval", add_eval},
    {"inspect", add_inspect},
    {"convert", add_convert},
    {"quantize", add_quantize},
    {"fetch-plan", add_fetch_plan},
    {"pull", add_pull},
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

// What was printed has reached its reader, or the command has failed: a full disk must not look like success.
int finish_output(int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (code != 0) return code;
  print_error(
      fmt::format("cannot write the output{}{}", errno == 0 ? "" : ": ", errno == 0 ? "" : std::strerror(errno)));
  return 1;
}

// The parser says only that there is no command; this names the word that stands in its place.
std::string missing_command(const CLI::App& app) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  const std::vector<std::string> words = app.remaining();
  const std::string all = fmt::format("{}", fmt::join(names, ", "));
  if (words.empty()) return fmt::format("which command? One of: {}", all);
  const char* what = words[0].starts_with('-') ? "option" : "command";
  const std::string near = nearest_match(words[0], names);
  return fmt::format(
      "there is no {} \"{}\"; {}", what, words[0],
      near.empty() ? fmt::format("the commands are: {}", all) : fmt::format("did you mean \"{}\"?", near));
}

int run_command(int argc, char** argv) {
  install_interrupt_handlers();
  CLI::App app("Sensorium: one program to ask, train, evaluate and inspect large multimodal models", "sensorium");
  app.set_version_flag("--version", SENSORIUM_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // the options below may stand after the command too
  app.footer(
      "Examples:\n"
      "  sensorium ask \"How many people wear a helmet?\" photo.jpg\n"
      "  sensorium train recipes/tiny.yaml out=runs/tiny\n"
      "  sensorium eval --data test.jsonl --json\n"
      "Every command has its own --help.");
  int threads = 0;
  const CLI::Option* threads_given =
      app.add_option("--threads", threads,
                     "Threads to compute with, for every command (default: all processors, or SENSORIUM_THREADS)");
  app.parse_complete_callback([&] {
    if (threads_given->count() > 0) set_thread_count(threads);
  });
  try {
    for (const Command& command : kCommands) command.add(app);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const bool no_command = app.get_subcommands().empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    print_error(fmt::format("{} (see sensorium --help)", no_command ? missing_command(app) : error.what()));
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

std::filesystem::path program_folder() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path();
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

void print_error(std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::fputs(fmt::format("sensorium: {}\n", message).c_str(), stderr);
}

std::filesystem::path find_model(const std::string& name) {
  if (name != "default") return name;
  const auto is_model = [](const std::filesystem::path& place) {
    return std::filesystem::exists(place / "config.json");
  };
  if (const char* place = std::getenv("SENSORIUM_MODEL"); place != nullptr && *place != '\0') {
    require(is_model(place), ErrorKind::usage, "SENSORIUM_MODEL is \"{}\", where no model is (no config.json)", place);
    return place;
  }
  std::vector<std::string> tried;
  for (const std::filesystem::path& place :
       {program_folder() / "../../weights/default", program_folder() / "../share/sensorium/models/default",
        std::filesystem::path(SENSORIUM_MODEL_DIR)}) {
    if (is_model(place)) return place.lexically_normal();
    tried.push_back(place.lexically_normal().string());
  }
  fail(ErrorKind::not_found, "the default model is in none of: {}; give --model DIR or set SENSORIUM_MODEL",
       fmt::join(tried, ", "));
}

std::unique_ptr<models::Model> open_model(const std::string& name, const models::LoadOptions& options) {
  return models::load_model(find_model(name), options);
}

const models::Embedder& require_embedder(const models::Model& model, const std::string& name) {
  const models::Embedder* embedder = model.embedder();
  require(embedder != nullptr, ErrorKind::unsupported,
          "the model {} makes no vectors of a joint space; give --model with ImageBind, CLIP or SigLIP", name);
  return *embedder;
}

int run(int argc, char** argv) { return finish_output(run_command(argc, argv)); }

}  // namespace sensorium::cli
