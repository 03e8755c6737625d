#include "cli/options.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

namespace sensorium::cli {

CLI::Validator whole_number(uint64_t low, uint64_t high) {
  const std::string range = high == std::numeric_limits<uint64_t>::max() ? fmt::format("from {}", low)
                                                                         : fmt::format("from {} to {}", low, high);
  return CLI::Validator(
      [low, high, range](std::string& text) {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool fits = error == std::errc() && end == text.data() + text.size() && value >= low && value <= high;
        return fits ? std::string() : fmt::format("\"{}\" is not a whole number {}", text, range);
      },
      range);
}

void add_load_options(CLI::App& command, models::LoadOptions& options) {
  command.add_option("--tower", options.tower,
                     "Folder of the vision tower, for checkpoints of the original LLaVA (default: looked for in the "
                     "model's folder and beside it)");
  command.add_option("--mmproj", options.mmproj,
                     "GGUF file of vision tower and projector (default: *mmproj*.gguf beside the model)");
  command.add_option(
      "--chat-template", options.chat_template,
      "How conversations are written: a file, or the name of a built-in template such as vicuna or chatml "
      "(default: the model's own)");
}

void add_generate_options(CLI::App& command, generate::GenerateOptions& options) {
  command.add_option("--temperature", options.sampling.temperature, "0: always the likeliest token")
      ->capture_default_str();
  command.add_option("--top-p", options.sampling.top_p, "Sample from the likeliest tokens of this total probability")
      ->capture_default_str();
  command.add_option("--top-k", options.sampling.top_k, "Sample from this many tokens; 0: all")
      ->capture_default_str()
      ->check(whole_number(0));
  command.add_option("--seed", options.sampling.seed, "The same seed gives the same answers")
      ->capture_default_str()
      ->check(whole_number(0));
  command.add_option("--max-tokens", options.max_tokens, "Longest answer")
      ->capture_default_str()
      ->check(whole_number(1));
}

}  // namespace sensorium::cli
