#include "models/checkpoint/checkpoint.h"

#include <array>

#include "models/adapter/adapter.h"
#include "models/checkpoint/folder.h"
#include "models/gguf/checkpoint.h"
#include "models/imagebind/original_layout.h"
#include "models/llava/original_layout.h"

namespace sensorium::models {
namespace {

struct LayoutRow {
  const char* what;  // for messages
  // Whether a path that exists has this layout.
  bool (*fits)(const std::filesystem::path& path);
  std::unique_ptr<Checkpoint> (*open)(const std::filesystem::path& path, const LoadOptions& options);
};
constexpr std::array<LayoutRow, 4> kLayouts = {{
    {"a GGUF file or a folder with one", is_gguf, open_gguf},
    {"a folder of the original LLaVA", is_original_llava, open_original_llava},
    {"ImageBind's released file (.pth) or a folder with it", is_original_imagebind, open_original_imagebind},
    {"a folder with config.json", has_config_json, open_huggingface},
}};

struct CompanionRow {
  const char* name;
  Companions kind;
};
constexpr std::array<CompanionRow, 15> kCompanions = {{
    {"generation_config.json", Companions::all},
    {"preprocessor_config.json", Companions::all},
    {"processor_config.json", Companions::all},
    {"chat_template.jinja", Companions::all},
    {"chat_template.json", Companions::all},
    {"tokenizer.json", Companions::tokenizer},
    {"tokenizer.model", Companions::tokenizer},
    {"tokenizer_config.json", Companions::tokenizer},
    {"special_tokens_map.json", Companions::tokenizer},
    {"added_tokens.json", Companions::tokenizer},
    {"vocab.json", Companions::tokenizer},
    {"merges.txt", Companions::tokenizer},
    {"spiece.model", Companions::tokenizer},
    {"bpe_simple_vocab_16e6.txt.gz", Companions::tokenizer},
    {"bpe_simple_vocab_16e6.txt", Companions::tokenizer},
}};

}  // namespace

std::vector<std::filesystem::path> find_companions(const std::filesystem::path& folder, Companions kind) {
  std::vector<std::filesystem::path> found;
  std::error_code code;
  for (const CompanionRow& row : kCompanions) {
    const bool wanted = kind == Companions::all || row.kind == kind;
    if (wanted && std::filesystem::exists(folder / row.name, code)) found.push_back(folder / row.name);
  }
  return found;
}

std::vector<std::filesystem::path> Checkpoint::companions() const { return find_companions(path_, Companions::all); }

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
