#include <cstdio>

#include "cli/command.h"
#include "cli/options.h"
#include "data/world/aligned/aligned.h"

namespace sensorium::cli {
namespace {

// The list of samples is kept in memory until it is written.
constexpr uint64_t kMostSamples = 10'000'000;

struct WorldCommand {
  std::string directory, name = "train";
  uint64_t count = 100, first = 0, seed = 1;
  data::WorldOptions options;
  bool json = false;
};

// Scenes as all senses perceive them; every other kind is pictures.
constexpr const char* kSenses = "senses";

data::WorldDatasetReport write_samples(const WorldCommand& command) {
  if (command.options.kinds == std::vector<std::string>{kSenses}) {
    return data::write_aligned_dataset(command.directory, command.name, command.first, command.count, command.seed);
  }
  return data::write_world_dataset(command.directory, command.name, command.first, command.count, command.seed,
                                   command.options);
}

void write_world(const WorldCommand& command) {
  const data::WorldDatasetReport report = write_samples(command);
  const std::string file = (std::filesystem::path(command.directory) / (command.name + ".jsonl")).string();
  if (command.json) {
    std::puts(OrderedJson{{"data", file}, {"samples", report.samples}, {"bytes", report.bytes}}.dump().c_str());
  } else {
    std::puts(fmt::format("{}: {} samples, {:.1f} MB with their pictures", file, report.samples,
                          static_cast<double>(report.bytes) / 1e6)
                  .c_str());
  }
}

std::string kinds_help() {
  std::string help = "Kinds of scenes, in equal shares (default: all); one of:";
  for (const data::WorldKind& kind : data::world_kinds()) help += fmt::format("\n{}: {}", kind.name, kind.description);
  help += fmt::format(
      "\n{}: alone: a thing as picture, heat, depth, sound, film and motion sensors, six records a scene", kSenses);
  return help;
}

}  // namespace

void add_world(CLI::App& app) {
  auto command = std::make_shared<WorldCommand>();
  CLI::App* verb = app.add_subcommand("world", "Draw a synthetic data set: pictures that say what they show");
  verb->add_option("folder", command->directory, "Where to write NAME.jsonl and media/")->required();
  verb->add_option("--count,-n", command->count, "Samples")
      ->capture_default_str()
      ->check(whole_number(1, kMostSamples));
  verb->add_option("--seed", command->seed, "Sample i of a seed is always the same")
      ->capture_default_str()
      ->check(whole_number(0));
  verb->add_option("--first", command->first, "Index of the first sample")
      ->capture_default_str()
      ->check(whole_number(0, data::kMaxWorldIndex - 1));
  verb->add_option("--name", command->name, "Name of the split")->capture_default_str();
  verb->add_option("--kinds", command->options.kinds, kinds_help())->delimiter(',');
  verb->add_option("--min-side", command->options.min_side, "Least width and height, pixels")->capture_default_str();
  verb->add_option("--max-side", command->options.max_side, "Greatest width and height, pixels")->capture_default_str();
  verb->add_option("--statements", command->options.statements,
                   "At least so many statements, true or false, about each scene of blocks")
      ->capture_default_str();
  verb->add_flag("--json", command->json, "Print one JSON object: data, samples, bytes");
  verb->footer(
      "Examples:\n"
      "  sensorium world synthetic --count 1000 --kinds shapes,counting\n"
      "  sensorium world synthetic --name test --count 100 --seed 2\n"
      "  sensorium world aligned --kinds senses --count 200");
  verb->callback([command] { write_world(*command); });
}

}  // namespace sensorium::cli
