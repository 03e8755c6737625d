#include <fmt/ranges.h>

#include <cstdio>

#include "cli/command.h"
#include "cli/hub_options.h"
#include "hub/catalog.h"
#include "hub/repository.h"

namespace sensorium::cli {
namespace {

struct FetchPlanCommand {
  std::string model;
  HubOptions hub;
  bool online = false, json = false;
};

OrderedJson describe(const hub::CatalogEntry& entry) {
  OrderedJson json{{"name", entry.name},
                   {"repository", entry.repository},
                   {"model_type", entry.model_type},
                   {"weights_gb", entry.weights_gb()},
                   {"licence", entry.licence}};
  if (!entry.needs.empty()) json["needs"] = entry.needs;
  return json;
}

void list_table(bool as_json) {
  if (as_json) {
    OrderedJson json = OrderedJson::array();
    for (const hub::CatalogEntry& entry : hub::catalog()) json.push_back(describe(entry));
    std::puts(json.dump().c_str());
    return;
  }
  for (const hub::CatalogEntry& entry : hub::catalog()) {
    std::puts(
        fmt::format("{:<24}{:<44}{:>6.1f} GB  {}", entry.name, entry.repository, entry.weights_gb(), entry.licence)
            .c_str());
  }
}

// What is known without asking: the files are named by what they are, as the shards of a hub's copy may change.
void describe_offline(const FetchPlanCommand& command) {
  const hub::CatalogEntry& entry = hub::catalog_entry(command.model);
  const std::string address = fmt::format("HUB/{}/resolve/{}/FILE", entry.repository, command.hub.revision);
  const std::vector<std::string> files = {"*.json", "*.model", "*.jinja", "merges.txt",
                                          "*.safetensors (or else pytorch_model*.bin, mm_projector.bin)"};
  if (command.json) {
    OrderedJson json = describe(entry);
    json["files"] = files;
    json["address"] = address;
    std::puts(json.dump().c_str());
    return;
  }
  std::puts(fmt::format("{}: {} ({})\nlicence: {}\nweights: about {:.1f} GB\nfiles: {}\nfrom: {}", entry.name,
                        entry.repository, entry.model_type, entry.licence, entry.weights_gb(), fmt::join(files, ", "),
                        address)
                .c_str());
  if (!entry.needs.empty()) std::puts(fmt::format("needs besides: {}", entry.needs).c_str());
  std::puts(fmt::format("exact files, sizes and hashes: sensorium fetch-plan {} --online --hub https://...", entry.name)
                .c_str());
}

void print_plan(const hub::FetchPlan& plan, bool as_json) {
  if (as_json) {
    std::puts(hub::to_json(plan).dump(2).c_str());
    return;
  }
  std::puts(fmt::format("{}: {} files, {}{}", plan.model, plan.files.size(),
                        short_bytes(static_cast<double>(plan.known_bytes())),
                        plan.licence.empty() ? "" : ", licence: " + plan.licence)
                .c_str());
  for (const hub::PlanFile& file : plan.files) {
    std::puts(fmt::format("{:>10}  {}  {}{}", file.bytes ? short_bytes(static_cast<double>(*file.bytes)) : "?",
                          file.path, file.url, file.sha256.empty() ? "" : "  sha256 " + file.sha256)
                  .c_str());
  }
}

}  // namespace

void add_fetch_plan(CLI::App& app) {
  auto command = std::make_shared<FetchPlanCommand>();
  CLI::App* verb =
      app.add_subcommand("fetch-plan", "Say which files of an open checkpoint to download, and from where");
  verb->add_option("model", command->model, "A name of the table, or OWNER/NAME with --online; none: the table");
  add_hub_options(*verb, command->hub);
  verb->add_flag("--online", command->online, "Ask the hub for the exact files, sizes and hashes");
  verb->add_flag("--json", command->json, "Print JSON; with --online a plan that `pull` takes");
  verb->footer(
      "Without --online nothing is asked of anybody.\n"
      "Examples:\n"
      "  sensorium fetch-plan\n"
      "  sensorium fetch-plan llava-1.5-7b\n"
      "  sensorium fetch-plan llava-1.5-7b --online --json > plan.json");
  verb->callback([command] {
    if (command->model.empty()) {
      require(!command->online, ErrorKind::usage, "--online asks about one model: name it");
      list_table(command->json);
    } else if (command->online) {
      print_plan(ask_hub(command->model, command->hub), command->json);
    } else {
      describe_offline(*command);
    }
  });
}

}  // namespace sensorium::cli
