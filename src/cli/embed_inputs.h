// The inputs of the verbs that embed: files and quoted texts, told apart, and the sense of each.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/embedding/load_input.h"

namespace sensorium::cli {

// One input, or several joined by + and -.
struct EmbedItem {
  std::string name;  // as it was written
  std::vector<models::EmbedInput> terms;
  std::vector<float> weights;  // 1 or -1
};

// Declares the positional inputs, --as and --camera, and reads them once the command line is parsed.
class EmbedArguments {
 public:
  // `at_least`: how many positional words there must be.
  EmbedArguments(CLI::App& command, const std::string& what, int at_least = 1);

  // Loads the files. Throws Error: usage (a word that is neither file nor text, a sense that does not exist, + without a
  // neighbour), and as models::load_input.
  std::vector<EmbedItem> load() const;
  // The same of all words but the last one, which is returned as it is: what is looked through.
  std::pair<std::vector<EmbedItem>, std::string> load_before_last() const;

 private:
  struct Word {
    std::string text;
    std::optional<models::InputSense> sense;
  };
  std::vector<Word> words() const;
  std::vector<EmbedItem> load_words(const std::vector<Word>& words) const;

  CLI::App& command_;
  CLI::Option* positional_;
  CLI::Option* as_;
  std::vector<std::string> inputs_, senses_;
  std::string camera_;
};

// A file, also as FILE:SENSE, or a text.
models::EmbedInput load_word(const std::string& word, std::optional<models::InputSense> sense,
                             const std::optional<models::DepthCamera>& camera);

}  // namespace sensorium::cli
