// What `fetch-plan` and `pull` share: which hub is asked, and how.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "hub/download.h"
#include "hub/plan.h"

namespace sensorium::cli {

struct HubOptions {
  std::string hub, revision = "main";
};

// --hub and --revision.
void add_hub_options(CLI::App& command, HubOptions& options);
// The hub's address: --hub, else SENSORIUM_HUB. Throws Error(usage) if there is neither.
std::string hub_address(const HubOptions& options);
// With the token of SENSORIUM_HUB_TOKEN, if it is set.
hub::DownloadOptions download_options();
// Asks the hub which files the model has; `name` is a name of the table or OWNER/NAME. Online.
hub::FetchPlan ask_hub(const std::string& name, const HubOptions& options);
// "3.4 GB"
std::string short_bytes(double bytes);

}  // namespace sensorium::cli
