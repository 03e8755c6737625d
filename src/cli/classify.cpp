#include <algorithm>
#include <cstdio>
#include <numeric>

#include "cli/command.h"
#include "cli/embed_inputs.h"
#include "cli/options.h"
#include "models/embedding/vectors.h"

namespace sensorium::cli {
namespace {

struct ClassifyCommand {
  std::unique_ptr<EmbedArguments> arguments;
  std::string model = "default";
  std::vector<std::string> labels, templates;
  models::LoadOptions load;
  bool json = false;
};

// "a dog, a car" -> two labels.
std::vector<std::string> split_labels(const std::vector<std::string>& given) {
  std::vector<std::string> labels;
  for (const std::string& text : given) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      std::string label = text.substr(begin, end - begin);
      label.erase(0, label.find_first_not_of(' '));
      label.erase(label.find_last_not_of(' ') + 1);
      if (!label.empty()) labels.push_back(label);
      begin = end + 1;
    }
  }
  return labels;
}

std::vector<float> probabilities_of(const models::Model& model, const models::EmbedInput& input,
                                    const std::vector<std::string>& labels, std::vector<std::string> templates) {
  if (const models::Embedder* embedder = model.embedder()) {
    if (templates.empty()) templates = models::prompt_templates(input.sense);
    return models::classify_input(*embedder, input, labels, templates);
  }
  require(input.sense == models::InputSense::image, ErrorKind::unsupported, "{}: the model classifies pictures only",
          input.name);
  require(templates.empty(), ErrorKind::usage,
          "--template is for models with a joint space; this one takes labels as "
          "they are");
  return model.classify(*input.image, labels);
}

void classify(const ClassifyCommand& command) {
  const std::vector<std::string> labels = split_labels(command.labels);
  require(!labels.empty(), ErrorKind::usage, "--labels names no label: --labels \"a dog,a car,rain\"");
  const std::vector<EmbedItem> items = command.arguments->load();
  for (const EmbedItem& item : items) {
    require(item.terms.size() == 1, ErrorKind::usage, "{}: sums are for embed and search", item.name);
  }
  const std::unique_ptr<models::Model> model = open_model(command.model, command.load);
  OrderedJson results = OrderedJson::array();
  for (const EmbedItem& item : items) {
    const std::vector<float> probabilities = probabilities_of(*model, item.terms[0], labels, command.templates);
    std::vector<size_t> order(labels.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
    if (command.json) {
      OrderedJson scores = OrderedJson::array();
      for (const size_t i : order) scores.push_back({{"label", labels[i]}, {"probability", probabilities[i]}});
      results.push_back({{"input", item.name}, {"sense", name_of(item.terms[0].sense)}, {"labels", scores}});
      continue;
    }
    if (items.size() > 1) std::puts(fmt::format("{}:", item.name).c_str());
    for (const size_t i : order) std::puts(fmt::format("{:6.2f} %  {}", 100 * probabilities[i], labels[i]).c_str());
  }
  if (command.json) std::puts(results.dump().c_str());
}

}  // namespace

void add_classify(CLI::App& app) {
  auto command = std::make_shared<ClassifyCommand>();
  CLI::App* verb = app.add_subcommand("classify", "Say which of the given labels a file shows, without training");
  command->arguments = std::make_unique<EmbedArguments>(*verb, "Files (pictures; with ImageBind any sense)");
  verb->add_option("--labels,-l", command->labels, "The labels, with commas between them; may be given several times")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("--template", command->templates,
                   "A text with {} where the label stands; several are averaged (default: a few by sense)")
      ->allow_extra_args(false);
  verb->add_option("--model,-m", command->model, "Folder or file of the model")->capture_default_str();
  add_load_options(*verb, command->load);
  verb->add_flag("--json", command->json, "Print one JSON array: input, sense, labels with probabilities");
  verb->footer(
      "Examples:\n"
      "  sensorium classify site.jpg --labels \"a building site,a street,a kitchen\"\n"
      "  sensorium classify --model imagebind_huge.pth bark.wav --labels \"a dog,a car,rain\" --template \"the sound "
      "of {}\"");
  verb->callback([command] { classify(*command); });
}

}  // namespace sensorium::cli
