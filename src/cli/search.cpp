#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "apps/search/folder_index.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/embed_inputs.h"
#include "cli/options.h"
#include "models/embedding/vectors.h"

namespace sensorium::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kPlace = ".sensorium-index";
constexpr size_t kShownFaults = 5;

struct SearchCommand {
  std::unique_ptr<EmbedArguments> arguments;
  std::string model = "default", place;
  std::vector<std::string> senses;
  models::LoadOptions load;
  size_t count = 10;
  bool json = false, frozen = false;
};

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

apps::FolderIndex::Update update_index(apps::FolderIndex& index) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  apps::FolderIndex::Progress progress;
  if (terminal) {
    progress = [](int64_t done, int64_t all, const std::string& path) {
      std::fputs(fmt::format("\r\033[K{}/{} {}", done, all, path).c_str(), stderr);
      std::fflush(stderr);
    };
  }
  apps::FolderIndex::Update update = index.update(progress);
  if (terminal) std::fputs("\r\033[K", stderr);
  for (size_t i = 0; i < update.faults.size() && i < kShownFaults; ++i) {
    log_warning("left out: {}", update.faults[i].second);
  }
  if (update.faults.size() > kShownFaults) log_warning("left out: {} more", update.faults.size() - kShownFaults);
  return update;
}

void search(const SearchCommand& command) {
  std::vector<models::InputSense> senses;
  for (const std::string& name : command.senses) senses.push_back(*models::find_sense(name));
  const auto [items, folder] = command.arguments->load_before_last();
  require(fs::is_directory(folder), ErrorKind::usage, "{}: is no folder; the folder to search in stands last", folder);
  require(items.size() == 1, ErrorKind::usage,
          "{} queries; give one, then the folder (join several by +): sensorium search \"a dog\" + bark.wav photos",
          items.size());
  const std::unique_ptr<models::Model> model = open_model(command.model, command.load);
  const models::Embedder& embedder = require_embedder(*model, command.model);
  const fs::path place = command.place.empty() ? fs::path(folder) / kPlace : fs::path(command.place);
  Clock::time_point start = Clock::now();
  apps::FolderIndex index(folder, place, *model, command.model);
  const double open_ms = milliseconds_since(start);
  start = Clock::now();
  apps::FolderIndex::Update update;
  if (!command.frozen) update = update_index(index);
  const double update_ms = milliseconds_since(start);
  start = Clock::now();
  const Tensor query = models::combine(embedder.embed(items[0].terms), items[0].weights);
  const double embed_ms = milliseconds_since(start);
  start = Clock::now();
  const std::vector<apps::FoundFile> found = index.search(query, command.count, senses);
  const double search_ms = milliseconds_since(start);
  if (!command.json) {
    if (found.empty()) std::puts("nothing found: the folder holds no file of a sense that the model has");
    for (const apps::FoundFile& file : found) {
      std::puts(
          fmt::format("{:7.4f}  {}  ({})", file.cosine, (fs::path(folder) / file.path).string(), file.sense).c_str());
    }
    return;
  }
  OrderedJson results = OrderedJson::array();
  for (const apps::FoundFile& file : found) {
    results.push_back({{"path", file.path}, {"sense", file.sense}, {"cosine", file.cosine}});
  }
  OrderedJson faults = OrderedJson::array();
  for (const auto& [path, reason] : update.faults) faults.push_back({{"path", path}, {"reason", reason}});
  std::puts(OrderedJson{
      {"query", items[0].name},
      {"folder", folder},
      {"results", results},
      {"index",
       {{"vectors", index.size()},
        {"read", update.read},
        {"kept", update.kept},
        {"removed", update.removed},
        {"faults", faults},
        {"bytes", index.bytes()}}},
      {"timings_ms", {{"open", open_ms}, {"update", update_ms}, {"embed", embed_ms}, {"search", search_ms}}}}
                .dump()
                .c_str());
}

}  // namespace

void add_search(CLI::App& app) {
  auto command = std::make_shared<SearchCommand>();
  CLI::App* verb =
      app.add_subcommand("search", "Find the files of a folder that are nearest to a file, a text or a sum");
  command->arguments =
      std::make_unique<EmbedArguments>(*verb, "A file or quoted text (a + b joins several), then the folder", 2);
  verb->add_option("--model,-m", command->model,
                   "Folder or file of a model with a joint space (ImageBind, CLIP, SigLIP)")
      ->capture_default_str();
  add_load_options(*verb, command->load);
  verb->add_option("--top,-k", command->count, "Files to show")->capture_default_str()->check(whole_number(1, 100'000));
  verb->add_option("--sense", command->senses, "Only files of this sense; may be given several times")
      ->check(CLI::IsMember({"text", "image", "video", "audio"}))
      ->allow_extra_args(false);
  verb->add_option("--index", command->place, "Folder of the index (default: .sensorium-index in the folder)");
  verb->add_flag("--frozen", command->frozen, "Search what the index has; do not look for new files");
  verb->add_flag("--json", command->json, "Print one JSON object: results (path, sense, cosine), index, timings");
  verb->footer(
      "The first search of a folder reads all of its pictures, films, sounds and texts (.txt, .md); later ones what "
      "has\n"
      "changed. Ctrl-C keeps what was read.\n"
      "Examples:\n"
      "  sensorium search --model imagebind_huge.pth bark.wav photos --sense image\n"
      "  sensorium search --model imagebind_huge.pth beach.jpg + \"in the rain\" photos --json");
  verb->callback([command] { search(*command); });
}

}  // namespace sensorium::cli
