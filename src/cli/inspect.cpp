#include <cstdio>
#include <map>

#include "cli/command.h"
#include "cli/options.h"
#include "models/open.h"

namespace sensorium::cli {
namespace {

std::string short_count(int64_t count) {
  if (count >= 1'000'000) return fmt::format("{:.1f} M", static_cast<double>(count) / 1e6);
  if (count >= 1'000) return fmt::format("{:.1f} K", static_cast<double>(count) / 1e3);
  return fmt::format("{}", count);
}

OrderedJson describe(const models::Model& model, const std::string& path) {
  OrderedJson json{{"path", path}};
  json.update(model.describe());
  std::map<std::string, int64_t> parts, dtypes;
  int64_t bytes = 0;
  for (const nn::Parameter& parameter : model.store().parameters()) {
    parts[parameter.name.substr(0, parameter.name.find('.'))] += parameter.value.elements();
    dtypes[std::string(name_of(parameter.value.dtype()))] += parameter.value.elements();
    bytes += static_cast<int64_t>(parameter.value.bytes());
  }
  for (const nn::PackedParameter& parameter : model.store().packed()) {
    const int64_t elements = parameter.value.shape().elements();
    parts[parameter.name.substr(0, parameter.name.find('.'))] += elements;
    dtypes[ops::name_of(parameter.value)] += elements;
    bytes += static_cast<int64_t>(parameter.value.bytes.bytes());
  }
  json["parameters"] = model.store().total_elements();
  json["parameters_by_part"] = parts;
  json["parameters_by_dtype"] = dtypes;
  json["bytes"] = bytes;
  json["tensors"] = model.store().parameters().size() + model.store().packed().size();
  return json;
}

// Numbers by the type of their blocks in a GGUF file; "parameters_by_dtype" tells how they are held.
std::map<std::string, int64_t> count_blocks(const models::Checkpoint& checkpoint) {
  std::map<std::string, int64_t> counts;
  const models::TensorFiles files = checkpoint.weights();
  for (const auto& [name, entry] : files.entries()) {
    if (entry.blocks != nullptr) counts[std::string(io::info_of(entry.blocks->type).name)] += entry.shape.elements();
  }
  return counts;
}

void print_lines(const OrderedJson& json, const std::string& indent) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_object()) {
      std::puts(fmt::format("{}{}:", indent, key).c_str());
      print_lines(value, indent + "  ");
    } else if (value.is_number_integer() && value.get<int64_t>() >= 100'000) {
      std::puts(fmt::format("{}{}: {}", indent, key, short_count(value.get<int64_t>())).c_str());
    } else {
      std::puts(
          fmt::format("{}{}: {}", indent, key, value.is_string() ? value.get<std::string>() : value.dump()).c_str());
    }
  }
}

}  // namespace

void add_inspect(CLI::App& app) {
  struct Options {
    std::string model = "default";
    models::LoadOptions load{.listed_faults = 1000};
    bool json = false, tensors = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show what a model is: senses, sizes, dtype, licence, training data");
  command->add_option("model", options->model, "Folder or GGUF file of the model")->capture_default_str();
  add_load_options(*command, options->load);
  command->add_flag("--tensors", options->tensors, "List every tensor with shape and dtype");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer("Example:\n  sensorium inspect default --tensors");
  command->callback([options] {
    const std::filesystem::path path = find_model(options->model);
    const std::unique_ptr<models::Checkpoint> checkpoint = models::Checkpoint::open(path, options->load);
    const std::unique_ptr<models::Model> model = models::load_model(*checkpoint);
    OrderedJson json = describe(*model, path.string());
    if (const auto blocks = count_blocks(*checkpoint); !blocks.empty()) {
      json["blocks_in_the_file"] = blocks;
    }
    if (options->tensors) {
      OrderedJson tensors;
      for (const nn::Parameter& parameter : model->store().parameters()) {
        tensors[parameter.name] = fmt::format("{} {}", name_of(parameter.value.dtype()), parameter.value.shape().str());
      }
      for (const nn::PackedParameter& parameter : model->store().packed()) {
        tensors[parameter.name] = fmt::format("{} {}", ops::name_of(parameter.value), parameter.value.shape().str());
      }
      json["tensor_list"] = tensors;
    }
    if (options->json) {
      std::puts(json.dump().c_str());
    } else {
      print_lines(json, "");
    }
  });
}

}  // namespace sensorium::cli
