// Options that several verbs have.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "generate/generate.h"
#include "models/checkpoint/options.h"

namespace sensorium::cli {

// Checks for a whole number of low..high. The parser alone lets -1 wrap round where the option's variable is unsigned.
CLI::Validator whole_number(uint64_t low, uint64_t high = std::numeric_limits<uint64_t>::max());

// --tower, --mmproj, --adapter and --chat-template: how a public checkpoint is opened.
void add_load_options(CLI::App& command, models::LoadOptions& options);

// How answers are generated, as the flags say it.
struct GenerateFlags {
  generate::GenerateOptions options;
  std::vector<std::string> logit_bias;  // TOKEN=BIAS
  std::string cache_type = "auto";      // of keys and values
  int64_t cache_megabytes = 0;          // 0: half of the machine's memory
  std::string json_schema, grammar;     // a file's name; of a schema also its text
};
// --temperature, --top-p, --max-tokens ...: docs/generation.md lists them.
void add_generate_options(CLI::App& command, GenerateFlags& flags);
// --json-schema and --grammar, of verbs that give one answer.
void add_constraint_options(CLI::App& command, GenerateFlags& flags);
// What can be said of the flags before a model is loaded. Throws Error(usage).
void check_generate_flags(const GenerateFlags& flags);
models::CacheOptions cache_options(const GenerateFlags& flags);
// The options for a model, whose tokenizer must outlive them. Throws Error: usage where a text of --logit-bias is not one of its
// tokens; as the readers of schemas and grammars do.
generate::GenerateOptions generate_options(const GenerateFlags& flags, const text::Tokenizer& tokenizer);

}  // namespace sensorium::cli
