#include "train/recipe.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/sha256.h"
#include "io/yaml.h"
#include "train/augment.h"
#include "train/augment_recording.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

constexpr double kBelowOne = 0.9999999;  // for what must not be 1: decays, label smoothing

const Json& list_of(ConfigReader& reader, const char* key, const std::string& where) {
  static const Json empty = Json::array();
  if (!reader.has(key)) return empty;
  const Json& value = reader.child(key);
  require(value.is_array(), ErrorKind::usage, "{}: \"{}\" is {}, expected a list", where, key, value.type_name());
  return value;
}

// Whether an override gives the value at this dotted place, alone or inside a list or object.
bool overridden(const std::vector<std::string>& overrides, const std::string& key) {
  return std::any_of(overrides.begin(), overrides.end(), [&](const std::string& text) {
    const std::string given = text.substr(0, text.find('='));
    return key == given || key.starts_with(given + ".");
  });
}

// A number within low..high.
double number(ConfigReader& reader, const char* key, double fallback, double low, double high,
              const std::string& where) {
  const double value = reader.get_or<double>(key, fallback);
  require(value >= low && value <= high, ErrorKind::usage, "{}: \"{}\" is {}, expected {}..{}", where, key, value, low,
          high);
  return value;
}

// Policies are of pictures or of recordings; which the set has is not known yet.
void check_augmentation(const std::string& name) {
  if (!is_recording_policy(name)) augment_policy(name);
}

SetRecipe read_set(const Json& json, const std::string& where) {
  ConfigReader reader(json, where, ErrorKind::usage);
  SetRecipe set;
  set.path = reader.get_or<std::string>("path", "");
  set.world = reader.get_or<std::string>("world", "");
  set.weight = reader.get_or<double>("weight", 1);
  set.augment = reader.get_or<std::string>("augment", "none");
  set.objects = reader.get_or<std::vector<std::string>>("objects", {});
  set.scene = reader.get_or<std::string>("scene", "");
  set.label_question = reader.get_or<std::string>("label_question", "");
  set.statements = reader.get_or<int64_t>("statements", 0);
  set.limit = reader.has("limit") ? reader.get_int("limit", 1, INT64_MAX / 2) : 0;
  if (reader.has("names")) {
    const Json& names = reader.child("names");
    require(names.is_object(), ErrorKind::usage, "{}: \"names\" is {}, expected class: name", where, names.type_name());
    for (const auto& [label, name] : names.items()) {
      require(name.is_string() && !name.get<std::string>().empty(), ErrorKind::usage,
              "{}: \"names\": \"{}\" is {}, expected a name", where, label, name.dump());
      set.names[label] = name.get<std::string>();
    }
  }
  set.cutmix = number(reader, "cutmix", 0, 0, 1, where);
  reader.finish();
  require(set.path.empty() != set.world.empty(), ErrorKind::usage, "{}: needs \"path\" or \"world\", one of them",
          where);
  require(set.statements == 0 || !set.world.empty(), ErrorKind::usage, "{}: \"statements\" belongs to \"world\"",
          where);
  require(set.weight > 0, ErrorKind::usage, "{}: weight {} is not positive", where, set.weight);
  check_augmentation(set.augment);
  return set;
}

// The set that data.train names, with its options beside it.
SetRecipe read_only_set(ConfigReader& data, const fs::path& path, const std::string& where) {
  SetRecipe set;
  if (!path.empty()) set.path = fs::absolute(path).string();
  set.boxed_objects = !data.has("objects");
  set.objects = data.get_or<std::vector<std::string>>("objects", {});
  set.scene = data.get_or<std::string>("scene", "");
  set.augment = data.get_or<std::string>("augment", "none");
  check_augmentation(set.augment);
  for (const char* key : {"objects", "scene", "augment"}) {
    require(!path.empty() || !data.has(key), ErrorKind::usage,
            "{}: data.{} belongs to data.train=FILE; a set of \"sets\" has its own", where, key);
  }
  return set;
}

std::optional<models::LoraConfig> read_lora(const Json& json, const std::string& where) {
  if (json.empty()) return std::nullopt;
  models::LoraConfig config;
  ConfigReader reader(json, where, ErrorKind::usage);
  config.rank = reader.get_int_or("rank", config.rank, 1, 1 << 16);
  config.alpha = number(reader, "alpha", config.alpha, 0, 1e9, where);
  config.dropout = number(reader, "dropout", config.dropout, 0, kBelowOne, where);
  config.stabilized = reader.get_or<bool>("rslora", config.stabilized);
  config.targets = reader.get_or<std::vector<std::string>>("targets", {});
  reader.finish();
  return config;
}

std::optional<BindRecipe> read_bind(const Json& json, const std::string& where) {
  if (json.empty()) return std::nullopt;
  BindRecipe bind;
  ConfigReader reader(json, where, ErrorKind::usage);
  bind.sense = reader.get<std::string>("sense");
  bind.anchor = reader.get_or<std::string>("anchor", bind.anchor);
  require(bind.anchor == "text" || bind.anchor == "image", ErrorKind::usage,
          "{}: \"anchor\" is \"{}\", expected text or image", where, bind.anchor);
  if (reader.has("temperature")) bind.temperature = number(reader, "temperature", 0, 0.01, 100, where);
  bind.learn_temperature = reader.get_or<bool>("learn_temperature", false);
  if (reader.has("drop_path")) bind.drop_path = number(reader, "drop_path", 0, 0, kBelowOne, where);
  reader.finish();
  return bind;
}

std::optional<JointRecipe> read_joint(const Json& json, const std::string& where) {
  if (json.empty()) return std::nullopt;
  require(json.is_object(), ErrorKind::usage, "{}: expected keys with values", where);
  JointRecipe joint{.sizes = json};
  ConfigReader reader(json, where, ErrorKind::usage);
  joint.views = reader.get_int_or("views", joint.views, 1, 1024);
  joint.dropout = number(reader, "dropout", joint.dropout, 0, kBelowOne, where);
  for (const char* key : {"views", "dropout"}) joint.sizes.erase(key);
  return joint;
}

// {pattern: learning rate}, the longest pattern first: it is the most special one.
std::vector<std::pair<std::string, double>> read_learning_rates(ConfigReader& train, const std::string& where) {
  std::vector<std::pair<std::string, double>> rates;
  const Json& given = train.child("learning_rates");
  require(given.is_object(), ErrorKind::usage, "{}: \"learning_rates\" is {}, expected pattern: rate", where,
          given.type_name());
  for (const auto& [pattern, rate] : given.items()) {
    require(rate.is_number() && rate.get<double>() >= 0, ErrorKind::usage,
            "{}: \"learning_rates\": \"{}\" is {}, expected a number of at least 0", where, pattern, rate.dump());
    rates.emplace_back(pattern, rate.get<double>());
  }
  std::ranges::stable_sort(rates, std::greater(), [](const auto& rate) { return rate.first.size(); });
  return rates;
}

DataOrder data_order(const std::string& name, const std::string& where) {
  if (name == "shuffled") return DataOrder::shuffled;
  require(name == "replacement", ErrorKind::usage, "{}: data.order \"{}\" is neither shuffled nor replacement", where,
          name);
  return DataOrder::replacement;
}

DType compute_type(const std::string& name, const std::string& where) {
  if (name == "bf16") return DType::bf16;
  require(name == "f32", ErrorKind::usage, "{}: compute \"{}\" is neither bf16 nor f32", where, name);
  return DType::f32;
}

}  // namespace

Recipe Recipe::load(const fs::path& file, const std::vector<std::string>& overrides) {
  Json json = io::yaml_file_to_json(file);
  const fs::path folder = file.parent_path();
  io::apply_overrides(json, overrides);
  // Paths in the file are relative to it; those of overrides, which replace them, to the working directory.
  const auto resolve = [&](const std::string& path, const std::string& key) {
    return path.empty() || overridden(overrides, key) ? fs::path(path) : folder / path;
  };
  // Sets and texts start at data.root, and at the working directory when an override gives them.
  const auto resolve_set = [&](const std::string& path, const std::string& key) {
    return path.empty() || !overridden(overrides, key) ? path : fs::absolute(path).string();
  };

  Recipe recipe;
  const std::string where = file.string();
  ConfigReader reader(json, where, ErrorKind::usage);
  recipe.out = reader.get<std::string>("out");
  recipe.seed = static_cast<uint64_t>(reader.get_int_or("seed", 1, 0, INT64_MAX));
  recipe.name = reader.get_or<std::string>("name", file.stem().string());
  recipe.licence = reader.get_or<std::string>("licence", "");
  recipe.trained_on = reader.get_or<std::string>("trained_on", "");
  recipe.init = resolve(reader.get_or<std::string>("init", ""), "init").string();
  recipe.model = reader.child("model");
  require(recipe.model.is_object(), ErrorKind::usage, "{}: \"model\" is {}, expected keys with values", where,
          recipe.model.dump());
  recipe.trainable = reader.get_or<std::vector<std::string>>("trainable", recipe.trainable);
  recipe.reset = reader.get_or<std::vector<std::string>>("reset", {});
  recipe.compute = compute_type(reader.get_or<std::string>("compute", "bf16"), where);
  recipe.activation_checkpointing = reader.get_or<bool>("activation_checkpointing", false);
  recipe.conversations.chat_template = reader.get_or<std::string>("chat_template", "");
  recipe.conversations.lora = read_lora(reader.child("lora"), where + ": lora");
  recipe.joint = read_joint(reader.child("joint"), where + ": joint");
  recipe.bind = read_bind(reader.child("bind"), where + ": bind");
  recipe.conversations.adapter = resolve(reader.get_or<std::string>("adapter", ""), "adapter").string();
  require(!recipe.init.empty() || recipe.model.size() > 0, ErrorKind::usage,
          "{}: needs \"model\" (sizes of a new model) or \"init\" (a folder to go on from)", where);
  {
    ConfigReader data(reader.child("data"), where + ": data", ErrorKind::usage);
    recipe.data_root = resolve(data.get_or<std::string>("root", ""), "data.root");
    if (recipe.data_root.empty()) recipe.data_root = folder;
    for (const auto& [key, sets] :
         {std::pair("sets", &recipe.sets), {"readings", &recipe.readings}, {"texts", &recipe.texts}}) {
      for (const Json& json_set : list_of(data, key, where)) {
        SetRecipe set = read_set(json_set, fmt::format("{}: data.{}[{}]", where, key, sets->size()));
        set.path = resolve_set(set.path, fmt::format("data.{}.{}.path", key, sets->size()));
        sets->push_back(std::move(set));
      }
    }
    const fs::path only = resolve(data.get_or<std::string>("train", ""), "data.train");
    const SetRecipe only_set = read_only_set(data, only, where);
    if (!only.empty()) recipe.sets = {only_set};
    recipe.order = data_order(data.get_or<std::string>("order", "replacement"), where);
    ConfigReader tokenizer(reader.child("tokenizer"), where + ": tokenizer", ErrorKind::usage);
    recipe.vocabulary = tokenizer.get_int_or("vocabulary", recipe.vocabulary, 300, 1 << 20);
    for (const std::string& path : tokenizer.get_or<std::vector<std::string>>("texts", {})) {
      recipe.tokenizer_texts.push_back(
          resolve_set(path, fmt::format("tokenizer.texts.{}", recipe.tokenizer_texts.size())));
    }
    tokenizer.finish();
    recipe.validation_fraction = number(data, "validation_fraction", 0, 0, 1, where);
    recipe.images_per_batch = data.get_int_or("images_per_batch", recipe.images_per_batch, 0, 4096);
    recipe.readings_per_batch = data.get_int_or("readings_per_batch", recipe.readings_per_batch, 0, 4096);
    recipe.texts_per_batch = data.get_int_or("texts_per_batch", recipe.texts_per_batch, 0, 4096);
    recipe.conversations.per_batch =
        data.get_int_or("conversations_per_batch", recipe.conversations.per_batch, 1, 4096);
    recipe.conversations.max_tokens = data.get_int_or("max_tokens", 0, 0, 1 << 24);
    recipe.pairs_per_batch = data.get_int_or("pairs_per_batch", recipe.pairs_per_batch, 2, 1 << 16);
    recipe.pairs_per_piece = data.get_int_or("pairs_per_piece", 0, 0, 1 << 16);
    recipe.text_tokens = data.get_int_or("text_tokens", recipe.text_tokens, 16, 1 << 20);
    recipe.questions_per_image = data.get_int_or("questions_per_image", recipe.questions_per_image, 1, 64);
    recipe.predicted_evidence = number(data, "predicted_evidence", recipe.predicted_evidence, 0, 1, where);
    recipe.find_questions = number(data, "find_questions", recipe.find_questions, 0, 1, where);
    recipe.sense_dropout = number(data, "sense_dropout", 0, 0, 1, where);
    recipe.cache_megabytes = data.get_int_or("cache_megabytes", recipe.cache_megabytes, 0, 1 << 20);
    data.finish();
  }
  {
    ConfigReader losses(reader.child("losses"), where + ": losses", ErrorKind::usage);
    const auto weight = [&](const char* key, float& value) {
      value = static_cast<float>(number(losses, key, value, 0, 1e6, where));
    };
    weight("label", recipe.losses.label);
    weight("detection", recipe.losses.detection);
    weight("box", recipe.losses.box);
    weight("language", recipe.losses.language);
    weight("masked_text", recipe.losses.masked_text);
    weight("masked_patches", recipe.losses.masked_patches);
    weight("frame_order", recipe.losses.frame_order);
    weight("contrastive", recipe.losses.contrastive);
    recipe.losses.label_smoothing =
        static_cast<float>(number(losses, "label_smoothing", recipe.losses.label_smoothing, 0, kBelowOne, where));
    losses.finish();
    ConfigReader masking(reader.child("masking"), where + ": masking", ErrorKind::usage);
    recipe.masking.text = number(masking, "text", recipe.masking.text, 0.01, 0.99, where);
    recipe.masking.span = number(masking, "span", recipe.masking.span, 1, 1000, where);
    recipe.masking.patches = number(masking, "patches", recipe.masking.patches, 0.01, 0.99, where);
    masking.finish();
  }
  {
    ConfigReader train(reader.child("train"), where + ": train", ErrorKind::usage);
    TrainerOptions& options = recipe.trainer;
    recipe.epochs = number(train, "epochs", 0, 0, 1e6, where);
    // Where neither is given, a binding has as many rounds as its authors gave it.
    const bool has_length = !recipe.bind || train.has("steps");
    if (recipe.epochs == 0 && has_length) options.schedule.total_steps = train.get_int("steps", 1, INT64_MAX / 2);
    require(recipe.epochs == 0 || !train.has("steps"), ErrorKind::usage, "{}: train: \"steps\" or \"epochs\", not both",
            where);
    options.schedule.peak = number(train, "learning_rate", 1e-3, 0, 1e38, where);
    options.schedule.warmup_steps = train.get_int_or("warmup_steps", 100, 0, INT64_MAX / 2);
    recipe.warmup_fraction = number(train, "warmup_fraction", 0, 0, kBelowOne, where);
    require(recipe.warmup_fraction == 0 || !train.has("warmup_steps"), ErrorKind::usage,
            "{}: train: \"warmup_steps\" or \"warmup_fraction\", not both", where);
    recipe.learning_rates = read_learning_rates(train, where);
    options.schedule.final_fraction = number(train, "final_fraction", 0.02, 0, 1, where);
    options.optimizer.weight_decay = number(train, "weight_decay", 0.05, 0, 1e3, where);
    options.optimizer.beta1 = number(train, "beta1", 0.9, 0, kBelowOne, where);
    options.optimizer.beta2 = number(train, "beta2", 0.95, 0, kBelowOne, where);
    options.optimizer.clip_norm = number(train, "clip_norm", 1.0, 0, 1e9, where);
    options.optimizer.ema_decay = number(train, "ema_decay", 0, 0, kBelowOne, where);
    options.accumulate = train.get_int_or("accumulate", 1, 1, 4096);
    options.save_every = train.get_int_or("save_every", 200, 1, INT64_MAX / 2);
    options.stop_after = train.get_int_or("stop_after", 0, 0, INT64_MAX / 2);
    train.finish();
  }
  reader.finish();
  for (const SetRecipe& set : recipe.sets) {
    require(set.cutmix == 0 || recipe.losses.language == 0, ErrorKind::usage,
            "{}: \"cutmix\" of {} needs losses.language 0: questions about a picture would find parts of two", where,
            set.path.empty() ? set.world : set.path);
  }
  require(!recipe.out.empty(), ErrorKind::usage, "{}: \"out\" is empty: give out=FOLDER", where);
  recipe.trainer.out = recipe.out;
  // Where a run is kept, how often it saves and where it pauses do not change what it computes.
  json.erase("out");
  if (json.contains("train")) {
    for (const char* key : {"save_every", "stop_after"}) json["train"].erase(key);
  }
  recipe.canonical_ = json;
  recipe.trainer.fingerprint = recipe.fingerprint();
  return recipe;
}

bool Recipe::gives(const std::string& key) const {
  const Json* json = &canonical_;
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('.', begin), key.size());
    const std::string part = key.substr(begin, end - begin);
    if (!json->is_object() || !json->contains(part)) return false;
    json = &json->at(part);
    begin = end + 1;
  }
  return true;
}

std::string Recipe::fingerprint() const { return to_hex(sha256(canonical_.dump())).substr(0, 16); }

int64_t warmup_of(double fraction, int64_t steps) {
  return static_cast<int64_t>(std::ceil(fraction * static_cast<double>(steps)));
}

std::vector<std::pair<std::string, double>> relative_rates(const Recipe& recipe) {
  const double peak = recipe.trainer.schedule.peak;
  require(recipe.learning_rates.empty() || peak > 0, ErrorKind::usage,
          "recipe: \"learning_rates\" beside a \"learning_rate\" of {}", peak);
  std::vector<std::pair<std::string, double>> rates;
  for (const auto& [pattern, rate] : recipe.learning_rates) rates.emplace_back(pattern, rate / peak);
  return rates;
}

}  // namespace sensorium::train
