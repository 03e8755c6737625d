// Options that several verbs have.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <limits>

#include "generate/generate.h"
#include "models/checkpoint/options.h"

namespace sensorium::cli {

// Checks for a whole number of low..high. The parser alone lets -1 wrap round where the option's variable is unsigned.
CLI::Validator whole_number(uint64_t low, uint64_t high = std::numeric_limits<uint64_t>::max());

// --tower, --mmproj and --chat-template: how a public checkpoint is opened.
void add_load_options(CLI::App& command, models::LoadOptions& options);

// --temperature, --top-p, --top-k, --seed and --max-tokens.
void add_generate_options(CLI::App& command, generate::GenerateOptions& options);

}  // namespace sensorium::cli
