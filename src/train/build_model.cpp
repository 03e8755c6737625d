#include "train/build_model.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "io/safetensors.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer_json.h"

namespace sensorium::train {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kQueryDim = 128;

// A new tokenizer learns from everything that the sets and texts of the mixture say, and from recipe.tokenizer_texts.
std::string train_tokenizer(const Recipe& recipe, const Mixtures& mixtures) {
  std::vector<std::string> corpus;
  const auto collect = [&](const Lesson& lesson) {
    for (const Exchange& exchange : lesson.exchanges) {
      corpus.push_back(exchange.question);
      corpus.push_back(exchange.answer);
    }
    for (const models::ChatMessage& turn : lesson.turns) {
      for (const models::ChatPart& part : turn.parts) corpus.push_back(part.text);
    }
    corpus.insert(corpus.end(), lesson.captions.begin(), lesson.captions.end());
    if (!lesson.text.empty()) corpus.push_back(lesson.text);
    if (!lesson.label.empty()) corpus.push_back(lesson.label);
  };
  const auto collect_source = [&](const LessonSource& source) {
    constexpr int64_t kPerSource = 4000;
    for (int64_t i = 0; i < std::min(source.word_lessons(), kPerSource); ++i) collect(source.get_words(i));
  };
  for (const Mixture* mixture : {&mixtures.pictures, &mixtures.readings, &mixtures.texts}) {
    for (const auto& source : mixture->sources) collect_source(*source);
  }
  for (const std::string& path : recipe.tokenizer_texts)
    collect_source(*open_source({.path = path}, recipe, Part::train));
  text::TrainOptions options;
  options.pattern = text::kQwen2Pattern;  // every digit is a token: numbers are read and written digit by digit
  options.special_tokens = models::SpecialTokens::names();
  options.vocab_size = static_cast<int32_t>(recipe.vocabulary) + static_cast<int32_t>(options.special_tokens.size());
  return text::to_tokenizer_json(*text::train_bpe(corpus, options));
}

std::vector<std::string> with_all(std::vector<std::string> names, const std::set<std::string>& more) {
  for (const std::string& name : more) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

// Every sense that recordings of the sets are of must have its place in the model.
void add_recorded_labels(models::SensoriumConfig& config,
                         const std::map<std::string, std::set<std::string>>& recorded) {
  for (const auto& [name, labels] : recorded) {
    const auto sense = std::find_if(config.senses.begin(), config.senses.end(),
                                    [&name = name](const models::SenseConfig& s) { return s.kind->name == name; });
    require(sense != config.senses.end(), ErrorKind::usage,
            "the sets have recordings of {}, but the model has no such sense: give its sizes in model.senses.{}", name,
            name);
    sense->labels = with_all(sense->labels, labels);
  }
}

// Whether a parameter belongs to a sense of which the file has nothing: then the sense is new and starts at random.
bool is_of_new_sense(const std::string& parameter, const io::SafetensorsFile& weights) {
  constexpr std::string_view kSenses = "senses.";
  if (!parameter.starts_with(kSenses)) return false;
  const std::string sense = parameter.substr(0, parameter.find('.', kSenses.size()) + 1);
  const std::vector<std::string> names = weights.names();
  return std::none_of(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(sense); });
}

// The sizes that the recipe gives, placed as in config.json: "query_dim" is one of the heads'.
Json sizes_of(const Recipe& recipe) {
  Json sizes = recipe.model;
  for (const char* part : {"decoder", "heads"}) {
    const Json sizes_of_part = sizes.value(part, Json::object());
    require(sizes_of_part.is_object(), ErrorKind::usage, "recipe: model: \"{}\" is {}, expected keys with values", part,
            sizes_of_part.dump());
  }
  if (sizes.contains("query_dim")) {
    sizes["heads"]["query_dim"] = sizes.at("query_dim");
    sizes.erase("query_dim");
  }
  return sizes;
}

// What is wrong with a recipe's sizes is wrong usage, not a damaged model.
models::SensoriumConfig read_sizes(const Json& json, const std::string& where) {
  try {
    return models::SensoriumConfig::from_json(json, where);
  } catch (const Error& error) {
    throw Error(ErrorKind::usage, error.message());
  }
}

}  // namespace

BuiltModel build_model(const Recipe& recipe, const Mixtures& mixtures) {
  const Mixture& pictures = mixtures.pictures;
  std::set<std::string> labels, objects;
  for (size_t i = 0; i < pictures.sets.size(); ++i) {
    pictures.sources[i]->collect_names(labels, objects);
    if (!pictures.sets[i].scene.empty()) labels.insert(pictures.sets[i].scene);
  }
  std::map<std::string, std::set<std::string>> recorded;
  for (const auto& source : pictures.sources) source->collect_recorded(recorded);
  BuiltModel built;
  models::SensoriumConfig config;
  const Json sizes = sizes_of(recipe);
  if (recipe.init.empty()) {
    built.tokenizer_json = train_tokenizer(recipe, mixtures);
    Json json = sizes;
    json["model_type"] = "sensorium";
    json["format_version"] = 1;
    const std::shared_ptr<const text::Tokenizer> tokenizer = text::parse_tokenizer_json(built.tokenizer_json).value();
    // A multiple of 64 rows suits the kernels.
    json["decoder"]["vocabulary"] = (tokenizer->vocab_size() + 63) / 64 * 64;
    json["heads"].emplace("query_dim", kQueryDim);
    json["heads"]["labels"] = std::vector<std::string>(labels.begin(), labels.end());
    json["heads"]["objects"] = std::vector<std::string>(objects.begin(), objects.end());
    config = read_sizes(json, "recipe: model");
    add_recorded_labels(config, recorded);
    config.name = recipe.name;
    config.licence = recipe.licence;
    config.trained_on = recipe.trained_on;
    built.model = std::make_unique<models::SensoriumModel>(config, tokenizer, nn::ParameterStore(recipe.seed));
    return built;
  }
  const fs::path folder = recipe.init;
  const fs::path config_path = folder / "config.json";
  Json json = read_json_file(config_path);
  require(!json.contains("quantization"), ErrorKind::usage,
          "{}: quantised weights do not train; start from the model that they were made of", folder.string());
  config = models::SensoriumConfig::from_json(json, config_path.string());
  json.merge_patch(sizes);
  config = read_sizes(json, config_path.string() + " with the recipe's model");
  config.heads.labels = with_all(config.heads.labels, labels);
  config.heads.objects = with_all(config.heads.objects, objects);
  add_recorded_labels(config, recorded);
  if (!config.heads.thresholds.empty()) config.heads.thresholds.resize(config.heads.objects.size(), 0.3);
  if (!recipe.licence.empty()) config.licence = recipe.licence;
  if (!recipe.trained_on.empty()) config.trained_on = recipe.trained_on;
  config.name = recipe.name;
  built.tokenizer_json = read_file(folder / "tokenizer.json");
  const std::shared_ptr<const text::Tokenizer> tokenizer = text::parse_tokenizer_json(built.tokenizer_json).value();
  built.model = std::make_unique<models::SensoriumModel>(config, tokenizer, nn::ParameterStore(recipe.seed));
  const fs::path weights_path = folder / "model.safetensors";
  const io::SafetensorsFile weights = io::SafetensorsFile::open(weights_path);
  for (nn::Parameter& parameter : built.model->store().parameters()) {
    const bool anew = std::any_of(recipe.reset.begin(), recipe.reset.end(), [&](const std::string& pattern) {
      return nn::matches_pattern(pattern, parameter.name);
    });
    if (anew || is_of_new_sense(parameter.name, weights)) continue;
    require(weights.contains(parameter.name), ErrorKind::invalid_data, "{}: tensor {} is missing",
            weights_path.string(), parameter.name);
    const Tensor tensor = weights.tensor(parameter.name);
    require(
        tensor.shape() == parameter.value.shape(), ErrorKind::invalid_data,
        "{}: tensor {} has shape {}, the model that is to be trained {}: name it in \"reset\" or leave its sizes in "
        "\"model\" alone",
        weights_path.string(), parameter.name, tensor.shape(), parameter.value.shape());
    parameter.value.copy_from(tensor);
  }
  return built;
}

}  // namespace sensorium::train
