#include <fmt/ranges.h>

#include <array>

#include "models/model.h"
#include "models/sensorium/chat.h"

namespace sensorium::models {
namespace {

constexpr std::array<ModelFamily, 1> kFamilies = {{
    {"sensorium", "the native model: image encoder with task heads, projector, decoder", load_sensorium},
}};

}  // namespace

std::span<const ModelFamily> model_families() { return kFamilies; }

std::unique_ptr<Model> load_model(const std::filesystem::path& directory, DType compute) {
  require(std::filesystem::is_directory(directory), ErrorKind::not_found,
          "{}: no such model folder (expected a folder with config.json, tokenizer.json and model.safetensors)",
          directory.string());
  const std::filesystem::path path = directory / "config.json";
  const Json config = read_json_file(path);
  require(config.is_object() && config.contains("model_type") && config.at("model_type").is_string(),
          ErrorKind::invalid_data, "{}: key \"model_type\" is missing (expected a string)", path.string());
  const std::string type = config.at("model_type").get<std::string>();
  std::vector<std::string> known;
  for (const ModelFamily& family : kFamilies) {
    if (type == family.model_type) return family.load(directory, compute);
    known.emplace_back(family.model_type);
  }
  const std::string near = nearest_match(type, known);
  fail(ErrorKind::unsupported, "{}: model_type \"{}\" is none that this program knows{}", path.string(), type,
       near.empty() ? fmt::format(" ({})", fmt::join(known, ", ")) : fmt::format("; did you mean \"{}\"?", near));
}

}  // namespace sensorium::models
