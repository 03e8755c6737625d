#include "cli/embed_inputs.h"

#include <fmt/ranges.h>

namespace sensorium::cli {
namespace {

namespace fs = std::filesystem;
using models::InputSense;

InputSense sense_named(const std::string& name) {
  const std::optional<InputSense> found = models::find_sense(name);
  if (found) return *found;
  std::vector<std::string_view> names;
  for (const InputSense sense : models::kSenses) names.push_back(name_of(sense));
  fail(ErrorKind::usage, "--as {} is none of {}", name, fmt::join(names, ", "));
}

bool is_file(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code) && !fs::is_directory(path, code);
}

bool is_sign(const std::string& word) { return word == "+" || word == "-"; }

}  // namespace

models::EmbedInput load_word(const std::string& word, std::optional<InputSense> sense,
                             const std::optional<models::DepthCamera>& camera) {
  fs::path path = word;
  // "night.png:thermal"
  const size_t colon = word.rfind(':');
  if (!is_file(path) && colon != std::string::npos) {
    if (const std::optional<InputSense> named = models::find_sense(word.substr(colon + 1))) {
      require(is_file(word.substr(0, colon)), ErrorKind::not_found, "{}: no such file", word.substr(0, colon));
      path = word.substr(0, colon);
      sense = named;
    }
  }
  if (!is_file(path)) {
    const bool reads_file = sense && *sense != InputSense::text;
    require(!reads_file && !models::sense_of_file(path), ErrorKind::not_found, "{}: no such file", path.string());
    return {.sense = InputSense::text, .text = word, .name = word};
  }
  if (!sense) sense = models::sense_of_file(path);
  require(sense.has_value(), ErrorKind::usage,
          "{}: the name does not say what the file holds; add it, for example {}:imu (or --as imu behind the file)",
          path.string(), path.string());
  return models::load_input(path, *sense, camera);
}

EmbedArguments::EmbedArguments(CLI::App& command, const std::string& what, int at_least) : command_(command) {
  positional_ = command.add_option("inputs", inputs_, what);
  positional_->expected(at_least, 1 << 20)->required();
  as_ = command.add_option(
      "--as", senses_,
      "What the file before it is: text, image, video, audio, depth, thermal or imu (default: by the "
      "name's end); FILE:SENSE says the same");
  as_->allow_extra_args(false);  // what follows is an input again
  command.add_option("--camera", camera_,
                     "JSON file about the depth camera: focal_px, baseline_m, units_per_m (default: camera.json beside "
                     "the picture)");
}

std::vector<EmbedArguments::Word> EmbedArguments::words() const {
  std::vector<Word> words;
  size_t input = 0, sense = 0;
  // In the order of the command line; the parser's own lists have lost it.
  for (const CLI::Option* option : command_.parse_order()) {
    if (option == positional_ && input < inputs_.size()) {
      words.push_back({inputs_[input++], std::nullopt});
    } else if (option == as_ && sense < senses_.size()) {
      require(!words.empty() && !is_sign(words.back().text), ErrorKind::usage, "--as {} stands behind no file",
              senses_[sense]);
      words.back().sense = sense_named(senses_[sense++]);
    }
  }
  return words;
}

std::vector<EmbedItem> EmbedArguments::load() const { return load_words(words()); }

std::pair<std::vector<EmbedItem>, std::string> EmbedArguments::load_before_last() const {
  std::vector<Word> all = words();
  const std::string last = all.back().text;
  all.pop_back();
  return {load_words(all), last};
}

std::vector<EmbedItem> EmbedArguments::load_words(const std::vector<Word>& words) const {
  std::optional<models::DepthCamera> camera;
  if (!camera_.empty()) camera = models::DepthCamera::read(camera_);
  std::vector<EmbedItem> items;
  float weight = 0;  // of the term that comes; 0: it begins an item
  for (const Word& word : words) {
    if (is_sign(word.text)) {
      require(!items.empty() && weight == 0, ErrorKind::usage, "\"{}\" stands between two inputs: a.jpg + b.wav",
              word.text);
      weight = word.text == "+" ? 1.0f : -1.0f;
      items.back().name += " " + word.text + " ";
      continue;
    }
    if (weight == 0) items.emplace_back();
    items.back().name += word.text;
    items.back().terms.push_back(load_word(word.text, word.sense, camera));
    items.back().weights.push_back(weight == 0 ? 1.0f : weight);
    weight = 0;
  }
  require(weight == 0, ErrorKind::usage, "nothing stands behind the last sign");
  return items;
}

}  // namespace sensorium::cli
