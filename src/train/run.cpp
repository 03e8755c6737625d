#include "train/run.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/log.h"
#include "data/mixture.h"
#include "data/prefetch.h"
#include "io/safetensors.h"
#include "models/sensorium/model.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer_json.h"
#include "train/batch_builder.h"
#include "train/calibrate.h"
#include "train/lesson_source.h"

namespace sensorium::train {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kQueryDim = 128;
constexpr int64_t kPatience = 20;  // batches in a row with nothing to learn from

struct Mixture {
  std::vector<SetRecipe> sets;
  std::vector<std::unique_ptr<LessonSource>> sources;
  std::vector<double> cumulative;                // of the weights
  std::optional<data::MixtureSampler> shuffled;  // none: every draw for itself

  void add(const SetRecipe& set, std::unique_ptr<LessonSource> source) {
    require(source->size() > 0, ErrorKind::invalid_data, "{}: the data set is empty", set.path + set.world);
    cumulative.push_back((cumulative.empty() ? 0 : cumulative.back()) + set.weight);
    sets.push_back(set);
    sources.push_back(std::move(source));
  }
  // The set and the lesson of draw `number` of the run.
  std::pair<size_t, int64_t> pick(uint64_t number, Rng& rng) const {
    if (shuffled) {
      const data::MixtureSampler::Draw draw = shuffled->at(number);
      return {draw.set, draw.index};
    }
    const double point = rng.uniform() * cumulative.back();
    const auto set =
        static_cast<size_t>(std::upper_bound(cumulative.begin(), cumulative.end() - 1, point) - cumulative.begin());
    return {set, static_cast<int64_t>(rng.below(static_cast<uint64_t>(sources[set]->size())))};
  }
};

// `stream`: a number of the mixture's own.
Mixture open_mixture(const std::vector<SetRecipe>& sets, const Recipe& recipe, uint64_t stream) {
  Mixture mixture;
  for (SetRecipe set : sets) {
    if (set.boxed_objects) set.objects = boxed_kinds(set, recipe);
    mixture.add(set, open_source(set, recipe, Part::train));
  }
  if (recipe.order == DataOrder::shuffled && !sets.empty()) {
    std::vector<data::MixtureSampler::Set> sizes;
    for (size_t i = 0; i < sets.size(); ++i) sizes.push_back({sets[i].weight, mixture.sources[i]->size()});
    mixture.shuffled.emplace(std::move(sizes), Rng::for_item(recipe.seed, stream).next());
  }
  return mixture;
}

// What a step draws: for each picture, reading or text, its set and its lesson.
struct Draw {
  size_t set;
  Lesson lesson;
  Rng rng;
};
struct StepDraws {
  std::vector<Draw> pictures, readings, texts;
};
struct Mixtures {
  Mixture pictures, readings, texts;
};

StepDraws draw_step(const Mixtures& mixtures, const Recipe& recipe, int64_t step, int64_t part) {
  StepDraws draws;
  const auto index = static_cast<uint64_t>(step * recipe.trainer.accumulate + part);
  const auto draw = [&](const Mixture& mixture, int64_t count, uint64_t stream, std::vector<Draw>& out) {
    for (int64_t i = 0; i < (mixture.sets.empty() ? 0 : count); ++i) {
      Rng rng = Rng::for_item(recipe.seed * 2 + stream, index * 65536 + static_cast<uint64_t>(i));
      const auto [set, item] = mixture.pick(index * static_cast<uint64_t>(count) + static_cast<uint64_t>(i), rng);
      out.push_back({set, mixture.sources[set]->get(item), rng});
    }
  };
  draw(mixtures.pictures, recipe.images_per_batch, 0, draws.pictures);
  draw(mixtures.texts, recipe.texts_per_batch, 1, draws.texts);
  draw(mixtures.readings, recipe.readings_per_batch, 2, draws.readings);
  return draws;
}

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

// Whether a head learns from the picture with these weights.
bool teaches_heads(const models::TrainingImage& image, const models::LossWeights& losses) {
  return (image.label >= 0 && losses.label > 0) || (image.boxes_known && losses.detection > 0);
}

std::string why_silent(const BatchBuilder::Fit& fit, int64_t context) {
  if (fit.too_long == 0) return "the records carry nothing that these \"losses\" use";
  return fmt::format(
      "{} of {} conversations and texts are longer than the context of {} tokens; shorten them, or train a model "
      "with a larger \"model.decoder.context\"",
      fit.too_long, fit.all, context);
}

struct BuiltModel {
  std::unique_ptr<models::SensoriumModel> model;
  std::string tokenizer_json;
};

BuiltModel build_model(const Recipe& recipe, const Mixtures& mixtures) {
  const Mixture& pictures = mixtures.pictures;
  std::set<std::string> labels, objects;
  for (size_t i = 0; i < pictures.sets.size(); ++i) {
    pictures.sources[i]->collect_names(labels, objects);
    if (!pictures.sets[i].scene.empty()) labels.insert(pictures.sets[i].scene);
  }
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
    config.name = recipe.name;
    config.licence = recipe.licence;
    config.trained_on = recipe.trained_on;
    built.model = std::make_unique<models::SensoriumModel>(config, tokenizer, nn::ParameterStore(recipe.seed));
    return built;
  }
  const fs::path folder = recipe.init;
  const fs::path config_path = folder / "config.json";
  Json json = read_json_file(config_path);
  config = models::SensoriumConfig::from_json(json, config_path.string());
  json.merge_patch(sizes);
  config = read_sizes(json, config_path.string() + " with the recipe's model");
  config.heads.labels = with_all(config.heads.labels, labels);
  config.heads.objects = with_all(config.heads.objects, objects);
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
    if (anew) continue;
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

}  // namespace

RunSummary run_recipe(const Recipe& recipe) {
  const Mixtures mixtures{.pictures = open_mixture(recipe.sets, recipe, 0),
                          .readings = open_mixture(recipe.readings, recipe, 1),
                          .texts = open_mixture(recipe.texts, recipe, 2)};
  require(!mixtures.pictures.sets.empty() || !mixtures.readings.sets.empty() || !mixtures.texts.sets.empty(),
          ErrorKind::usage, "the recipe names no data: give data.train=FILE");
  const BuiltModel built = build_model(recipe, mixtures);
  models::SensoriumModel& model = *built.model;
  model.store().set_trainable({"*"}, false);
  require(model.store().set_trainable(recipe.trainable, true) > 0, ErrorKind::usage,
          "\"trainable\" matches no parameter of the model");
  model.set_checkpointing(recipe.activation_checkpointing);

  RunSummary summary{.out = recipe.out, .model = recipe.out / "model"};
  BatchBuilder builder(model, recipe);
  const int64_t parts = recipe.trainer.accumulate;
  std::unique_ptr<data::Prefetcher<StepDraws>> prefetcher;
  int64_t next = -1;
  int64_t silent = 0;  // batches in a row with nothing to learn from
  const auto run_batch = [&](int64_t step, int64_t part) {
    const int64_t index = step * parts + part;
    if (index != next) {
      prefetcher = std::make_unique<data::Prefetcher<StepDraws>>(
          [&, index](int64_t i) { return draw_step(mixtures, recipe, (index + i) / parts, (index + i) % parts); }, 3);
    }
    next = index + 1;
    StepDraws draws = prefetcher->next();
    models::TrainingBatch batch;
    for (Draw& draw : draws.pictures) builder.add(batch, draw.lesson, mixtures.pictures.sets[draw.set], draw.rng);
    Rng rng = Rng::for_item(recipe.seed * 2 + 7, static_cast<uint64_t>(index));
    builder.finish(batch, rng);
    for (Draw& draw : draws.readings)
      builder.add_reading(batch, draw.lesson, mixtures.readings.sets[draw.set], draw.rng);
    for (Draw& draw : draws.texts) builder.add_text(batch, draw.lesson, draw.rng);
    const auto images = static_cast<int64_t>(batch.images.size());
    const bool heads_learn = std::any_of(batch.images.begin(), batch.images.end(),
                                         [&](const auto& image) { return teaches_heads(image, recipe.losses); });
    if (!heads_learn && (batch.sequences.empty() || recipe.losses.language == 0)) {
      require(++silent < kPatience, ErrorKind::usage, "{} batches in a row had nothing to learn from: {}", silent,
              why_silent(builder.fit(), model.config().decoder.context));
      return BatchResult{.images = images};
    }
    silent = 0;
    const models::BatchLosses losses = models::training_loss(model, batch, recipe.losses, recipe.compute);
    return BatchResult{.loss = losses.total,
                       .parts = {{"label", losses.label},
                                 {"center", losses.center},
                                 {"box", losses.box},
                                 {"language", losses.language}},
                       .tokens = losses.text_tokens,
                       .images = images};
  };
  const auto on_saved = [&](int64_t step) {
    const bool last = step == recipe.trainer.schedule.total_steps;
    if (last && recipe.validation_fraction > 0 && recipe.losses.detection > 0)
      calibrate_thresholds(model, mixtures.pictures.sets, recipe);
    models::save_model(summary.model, model, built.tokenizer_json, DType::bf16);
  };
  const TrainResult result = run_training(model.store(), recipe.trainer, run_batch, on_saved);
  summary.steps = result.steps;
  summary.loss = result.loss;
  summary.sequences = builder.fit().all;
  summary.too_long = builder.fit().too_long;
  if (summary.too_long > 0) {
    log_warning("{} of {} conversations and texts were left out: they are longer than the context of {} tokens",
                summary.too_long, summary.sequences, model.config().decoder.context);
  }
  return summary;
}

}  // namespace sensorium::train
