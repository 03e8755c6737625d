#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <vector>

#include "cli/command.h"
#include "cli/hub_options.h"
#include "hub/download.h"
#include "hub/plan.h"

namespace sensorium::cli {
namespace {
namespace fs = std::filesystem;

struct PullCommand {
  std::string what, to;
  HubOptions hub;
  bool json = false;
};

// One line on a terminal that is written over; nothing where standard error goes into a file.
class ProgressLine {
 public:
  explicit ProgressLine(std::string name) : name_(std::move(name)), shown_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(uint64_t done, uint64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || (drawn_ && now - last_ < std::chrono::milliseconds(200))) return;
    if (!drawn_) first_ = {now, done};
    const double seconds = std::chrono::duration<double>(now - first_.time).count();
    const double speed = seconds > 0 ? static_cast<double>(done - std::min(done, first_.done)) / seconds : 0;
    std::fputs(fmt::format("\r\x1b[K{}: {}{}, {}/s", name_, short_bytes(static_cast<double>(done)),
                           total == 0 ? "" : " of " + short_bytes(static_cast<double>(total)), short_bytes(speed))
                   .c_str(),
               stderr);
    std::fflush(stderr);
    drawn_ = true;
    last_ = now;
  }

 private:
  struct Mark {
    std::chrono::steady_clock::time_point time;
    uint64_t done = 0;
  };
  std::string name_;
  bool shown_, drawn_ = false;
  Mark first_;
  std::chrono::steady_clock::time_point last_;
};

hub::FetchPlan plan_of(const PullCommand& command) {
  if (fs::path(command.what).extension() == ".json") {
    return hub::parse_plan(read_json_file(command.what), command.what);
  }
  return ask_hub(command.what, command.hub);
}

void pull(const PullCommand& command) {
  const hub::FetchPlan plan = plan_of(command);
  OrderedJson files = OrderedJson::array();
  for (const hub::PlanFile& file : plan.files) {
    ProgressLine line(file.path);
    hub::DownloadOptions options = download_options();
    options.progress = [&](uint64_t done, uint64_t total) { line.update(done, total); };
    const hub::Downloaded got = hub::download(
        {.url = file.url, .path = fs::path(command.to) / file.path, .bytes = file.bytes, .sha256 = file.sha256},
        options);
    if (command.json) {
      files.push_back({{"path", file.path},
                       {"bytes", got.bytes},
                       {"was_there", got.was_there},
                       {"resumed_at", got.resumed_at},
                       {"retries", got.retries},
                       {"checked", file.sha256.empty() ? "size" : "sha256"}});
    } else {
      std::puts(fmt::format("{}: {}{}, {}", file.path, short_bytes(static_cast<double>(got.bytes)),
                            got.was_there ? " were there"
                            : got.resumed_at > 0
                                ? " (went on at " + short_bytes(static_cast<double>(got.resumed_at)) + ")"
                                : "",
                            !file.sha256.empty() ? "sha256 is right"
                            : file.bytes         ? "the size is right"
                                                 : "no size or hash is known")
                    .c_str());
      std::fflush(stdout);
    }
  }
  if (command.json) {
    std::puts(OrderedJson{{"model", plan.model}, {"folder", command.to}, {"files", files}}.dump().c_str());
  } else {
    std::puts(fmt::format("{}{}", command.to, plan.licence.empty() ? "" : " (licence: " + plan.licence + ")").c_str());
  }
}

}  // namespace

void add_pull(CLI::App& app) {
  auto command = std::make_shared<PullCommand>();
  CLI::App* verb = app.add_subcommand("pull", "Download an open checkpoint: the one verb that goes online");
  verb->add_option("model", command->what, "A name of `fetch-plan`, OWNER/NAME, or the file of a plan (.json)")
      ->required();
  verb->add_option("--to", command->to, "Folder of the model")->required();
  add_hub_options(*verb, command->hub);
  verb->add_flag("--json", command->json, "Print one JSON object: model, folder, files");
  verb->footer(
      "What has come of a file stays in FILE.part when the connection breaks or on Ctrl-C: the same command goes on "
      "there.\n"
      "A file appears under its name when its size and hash are right. SENSORIUM_HUB_TOKEN is sent to the hub for "
      "files that\n"
      "ask for an account.\n"
      "Examples:\n"
      "  sensorium pull llava-1.5-7b --to models/llava --hub https://...\n"
      "  sensorium pull plan.json --to models/llava");
  verb->callback([command] { pull(*command); });
}

}  // namespace sensorium::cli
