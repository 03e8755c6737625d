#include "models/checkpoint/folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "text/tokenizer_json.h"

namespace sensorium::models {
namespace {

struct NamedActivation {
  const char* name;
  kernels::Unary function;
};
constexpr std::array<NamedActivation, 7> kActivations = {{
    {"gelu", kernels::Unary::gelu_erf},
    {"gelu_new", kernels::Unary::gelu_tanh},
    {"gelu_pytorch_tanh", kernels::Unary::gelu_tanh},
    {"quick_gelu", kernels::Unary::quick_gelu},
    {"silu", kernels::Unary::silu},
    {"swish", kernels::Unary::silu},
    {"relu", kernels::Unary::relu},
}};

}  // namespace

Json read_config_json(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  Json config = read_json_file(path);
  require(config.is_object(), ErrorKind::invalid_data, "{}: expected a JSON object, found {}", path.string(),
          config.type_name());
  return config;
}

std::string folder_name(const std::filesystem::path& directory) {
  const std::filesystem::path path = std::filesystem::absolute(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

std::shared_ptr<const text::Tokenizer> read_folder_tokenizer(const std::filesystem::path& directory) {
  return text::read_tokenizer_json(directory / "tokenizer.json").value();
}

std::vector<int32_t> read_end_tokens(const std::filesystem::path& directory, const std::vector<Json>& configs,
                                     int64_t vocabulary) {
  std::vector<std::pair<std::string, Json>> sources;
  const std::filesystem::path generation = directory / "generation_config.json";
  if (std::filesystem::exists(generation)) sources.emplace_back(generation.string(), read_json_file(generation));
  for (const Json& config : configs) sources.emplace_back((directory / "config.json").string(), config);
  for (const auto& [where, json] : sources) {
    const Json object = without_nulls(json);
    if (!object.is_object() || !object.contains("eos_token_id")) continue;
    ConfigReader reader(object, where);
    const std::vector<int64_t> ids = object.at("eos_token_id").is_array()
                                         ? reader.get<std::vector<int64_t>>("eos_token_id")
                                         : std::vector<int64_t>{reader.get<int64_t>("eos_token_id")};
    for (const int64_t id : ids) {
      require(id >= 0 && id < vocabulary, ErrorKind::invalid_data,
              "{}: \"eos_token_id\" {} is not in the vocabulary of {}", where, id, vocabulary);
    }
    return {ids.begin(), ids.end()};
  }
  return {};
}

kernels::Unary read_activation(const std::string& name, const std::string& where) {
  std::vector<std::string> known;
  for (const NamedActivation& activation : kActivations) {
    if (name == activation.name) return activation.function;
    known.emplace_back(activation.name);
  }
  fail(ErrorKind::unsupported, "{}: activation \"{}\" is none of {}", where, name, fmt::join(known, ", "));
}

}  // namespace sensorium::models
