// The verbs of the binary. Each is one file with one `add_...` function, and one line in the table of commands.cpp.
#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "models/embedding/embedder.h"
#include "models/model.h"

namespace sensorium::cli {

struct Command {
  const char* name;
  // Declares options on `app` and sets its callback. Errors are thrown as sensorium::Error.
  void (*add)(CLI::App& app);
};
std::span<const Command> commands();

// Runs the program: parses, dispatches, turns errors into one line on stderr. Returns the exit code: 0 done, 1 failed, 2 wrong
// usage, 130 interrupted.
int run(int argc, char** argv);

// One line on standard error, whatever the message holds.
void print_error(std::string message);

// "default", or a folder or file. The default model is at SENSORIUM_MODEL; without that, it is looked for in the checkout and the
// installation that the running program belongs to, and in the sources that it was built from. Throws Error: not_found
// that lists the places, usage if SENSORIUM_MODEL is no model.
std::filesystem::path find_model(const std::string& name);
std::unique_ptr<models::Model> open_model(const std::string& name, const models::LoadOptions& options = {});

// Throws Error(unsupported) for a model that makes no vectors.
const models::Embedder& require_embedder(const models::Model& model, const std::string& name);

}  // namespace sensorium::cli
