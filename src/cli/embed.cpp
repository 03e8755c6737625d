#include <cstdio>

#include "base/file.h"
#include "cli/command.h"
#include "cli/embed_inputs.h"
#include "cli/options.h"
#include "io/npy.h"
#include "models/embedding/vectors.h"
#include "ops/ops.h"

namespace sensorium::cli {
namespace {

struct EmbedCommand {
  std::unique_ptr<EmbedArguments> arguments;
  std::string model = "default", npy;
  models::LoadOptions load;
  bool json = false, raw = false;
};

// One vector per item.
Tensor embed_items(const models::Embedder& embedder, const std::vector<EmbedItem>& items, bool raw) {
  std::vector<models::EmbedInput> inputs;
  for (const EmbedItem& item : items) inputs.insert(inputs.end(), item.terms.begin(), item.terms.end());
  const Tensor all_NC = embedder.embed(inputs);
  std::vector<Tensor> rows;
  int64_t begin = 0;
  for (const EmbedItem& item : items) {
    const int64_t end = begin + static_cast<int64_t>(item.terms.size());
    const Tensor own = all_NC.slice(begin, end);
    rows.push_back(item.terms.size() > 1 ? models::combine(own, item.weights) : raw ? own : models::unit_rows(own));
    begin = end;
  }
  return ops::concat_rows(rows);
}

std::string sense_of(const EmbedItem& item) {
  std::string text;
  for (const models::EmbedInput& term : item.terms) {
    text += fmt::format("{}{}", text.empty() ? "" : " + ", name_of(term.sense));
  }
  return text;
}

void print_json(const std::string& model, const std::vector<EmbedItem>& items, const Tensor& vectors_NC) {
  OrderedJson embeddings = OrderedJson::array();
  for (size_t i = 0; i < items.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    embeddings.push_back({{"input", items[i].name},
                          {"sense", sense_of(items[i])},
                          {"embedding", vectors_NC.slice(row, row + 1).to_floats()}});
  }
  std::puts(OrderedJson{{"model", model}, {"dim", vectors_NC.dim(1)}, {"embeddings", embeddings}}.dump().c_str());
}

// How near the vectors are to one another.
void print_similarities(const std::vector<EmbedItem>& items, const Tensor& vectors_NC) {
  const Tensor unit_NC = models::unit_rows(vectors_NC), cosines = ops::linear(unit_NC, unit_NC);
  const int64_t count = cosines.dim(0);
  for (int64_t i = 0; i < count; ++i) {
    const EmbedItem& item = items[static_cast<size_t>(i)];
    std::string line = fmt::format("{:>3}", i + 1);
    for (int64_t j = 0; j < count && count <= 12; ++j) {
      line += fmt::format(" {:7.4f}", cosines.data<float>()[i * count + j]);
    }
    std::puts(fmt::format("{}  {} ({})", line, item.name, sense_of(item)).c_str());
  }
}

void embed(const EmbedCommand& command) {
  const std::vector<EmbedItem> items = command.arguments->load();
  const std::unique_ptr<models::Model> model = open_model(command.model, command.load);
  const Tensor vectors_NC = embed_items(require_embedder(*model, command.model), items, command.raw);
  if (!command.npy.empty()) write_file_atomic(command.npy, io::encode_npy(vectors_NC));
  if (command.json) {
    print_json(command.model, items, vectors_NC);
  } else if (command.npy.empty()) {
    print_similarities(items, vectors_NC);
  } else {
    std::puts(fmt::format("{}: {} vectors of {} numbers", command.npy, vectors_NC.dim(0), vectors_NC.dim(1)).c_str());
  }
}

}  // namespace

void add_embed(CLI::App& app) {
  auto command = std::make_shared<EmbedCommand>();
  CLI::App* verb = app.add_subcommand("embed", "Turn files and texts into vectors of one space");
  command->arguments = std::make_unique<EmbedArguments>(
      *verb, "Files and quoted texts; a + b and a - b join the vectors of several into one");
  verb->add_option("--model,-m", command->model,
                   "Folder or file of a model with a joint space (ImageBind, CLIP, SigLIP)")
      ->capture_default_str();
  add_load_options(*verb, command->load);
  verb->add_option("--npy", command->npy, "Write the vectors to this NumPy file: f32 [inputs, dim]");
  verb->add_flag("--json", command->json, "Print one JSON object: model, dim, embeddings (input, sense, embedding)");
  verb->add_flag("--raw", command->raw, "As long as the model makes them (default: of unit length)");
  verb->footer(
      "Without --json and --npy, the cosines between the inputs are printed.\n"
      "Examples:\n"
      "  sensorium embed --model imagebind_huge.pth cat.jpg meow.wav \"a cat\" night.png --as thermal\n"
      "  sensorium embed --model imagebind_huge.pth beach.jpg + rain.wav \"a rainy beach\" --json\n"
      "  sensorium embed --model clip-vit-base-patch32 *.jpg --npy pictures.npy");
  verb->callback([command] { embed(*command); });
}

}  // namespace sensorium::cli
