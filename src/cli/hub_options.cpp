#include "cli/hub_options.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "hub/catalog.h"
#include "hub/repository.h"

namespace sensorium::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void add_hub_options(CLI::App& command, HubOptions& options) {
  command.add_option("--hub", options.hub, "Address of the hub: https://... (default: SENSORIUM_HUB)");
  command.add_option("--revision", options.revision, "Branch, tag or commit of the repository")->capture_default_str();
}

std::string hub_address(const HubOptions& options) {
  const std::string address = options.hub.empty() ? environment("SENSORIUM_HUB") : options.hub;
  require(!address.empty(), ErrorKind::usage,
          "no hub is built in: give --hub https://..., or set SENSORIUM_HUB to the address of the hub");
  return address;
}

hub::DownloadOptions download_options() { return {.bearer_token = environment("SENSORIUM_HUB_TOKEN")}; }

hub::FetchPlan ask_hub(const std::string& name, const HubOptions& options) {
  const hub::CatalogEntry* known = hub::find_in_catalog(name);
  if (known == nullptr && name.find('/') == std::string::npos) known = &hub::catalog_entry(name);  // throws
  const std::string repository = known == nullptr ? name : std::string(known->repository);
  const std::string licence = known == nullptr ? "" : std::string(known->licence);
  return hub::list_repository(hub::make_repository(hub_address(options), repository, options.revision), licence,
                              download_options());
}

std::string short_bytes(double bytes) {
  static constexpr std::array<const char*, 4> kUnits = {"B", "kB", "MB", "GB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

}  // namespace sensorium::cli
