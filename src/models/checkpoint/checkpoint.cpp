#include "models/checkpoint/checkpoint.h"

#include <array>

#include "models/adapter/adapter.h"
#include "models/checkpoint/folder.h"
#include "models/gguf/checkpoint.h"
#include "models/llava/original_layout.h"

namespace sensorium::models {
namespace {

struct LayoutRow {
  const char* what;  // for messages
  // Whether a path that exists has this layout.
  bool (*fits)(const std::filesystem::path& path);
  std::unique_ptr<Checkpoint> (*open)(const std::filesystem::path& path, const LoadOptions& options);
};
constexpr std::array<LayoutRow, 3> kLayouts = {{
    {"a GGUF file or a folder with one", is_gguf, open_gguf},
    {"a folder of the original LLaVA", is_original_llava, open_original_llava},
    {"a folder with config.json", has_config_json, open_huggingface},
}};

}  // namespace

std::unique_ptr<Checkpoint> Checkpoint::open(const std::filesystem::path& path, const LoadOptions& options) {
  std::error_code code;
  std::string known;
  for (const LayoutRow& row : kLayouts) {
    if (std::filesystem::exists(path, code) && row.fits(path)) {
      std::unique_ptr<Checkpoint> checkpoint = row.open(path, options);
      return options.adapter.empty() ? std::move(checkpoint) : with_adapter(std::move(checkpoint), options.adapter);
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.what);
  }
  const bool is_folder = std::filesystem::is_directory(path, code);
  const bool exists = std::filesystem::exists(path, code);
  fail(ErrorKind::not_found, "{}: {} (a model is one of: {})", (is_folder ? path / "config.json" : path).string(),
       is_folder ? "no such file"
       : exists  ? "is no model"
                 : "no such model folder or file",
       known);
}

Checkpoint::Checkpoint(Layout layout, std::filesystem::path path, const LoadOptions& options)
    : layout_(layout), path_(std::move(path)), name_(folder_name(path_)), options_(options) {}

void Checkpoint::set_config(Json config, std::string where) {
  require(config.is_object(), ErrorKind::invalid_data, "{}: expected a JSON object, found {}", where,
          config.type_name());
  require(config.contains("model_type") && config.at("model_type").is_string(), ErrorKind::invalid_data,
          "{}: key \"model_type\" is missing (expected a string)", where);
  config_ = without_nulls(std::move(config));
  where_ = std::move(where);
}

std::vector<int32_t> Checkpoint::end_tokens(int64_t vocabulary) const {
  std::vector<modality::LocatedJson> sources;
  if (auto generation = generation_config()) sources.push_back(std::move(*generation));
  sources.push_back({config_, where_});
  if (config_.contains("text_config")) sources.push_back({config_.at("text_config"), where_ + ": text_config"});
  for (const auto& [json, where] : sources) {
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

}  // namespace sensorium::models
