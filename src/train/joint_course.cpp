// The joint space of the native model: small heads on its frozen encoders, and an encoder of texts, learn that a picture or recording
// and its name are a pair. SenseFeatures that never meet become comparable, since they share the texts.
// Legend: N pairs of a batch, R rows of features, C numbers of a vector.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/file.h"
#include "base/sha256.h"
#include "io/safetensors.h"
#include "models/learner.h"
#include "ops/contrastive.h"
#include "text/tokenizer_json.h"
#include "train/course.h"
#include "train/joint_items.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kJoint = "joint.";
constexpr uint64_t kDraws = 0x31, kDrops = 0xD0;  // streams of a seed that must not meet

struct Base {
  std::unique_ptr<models::SensoriumModel> model;
  std::string tokenizer_json, fingerprint;
};

// The senses that the sets have recordings of.
std::vector<std::string> senses_of(const Recipe& recipe) {
  std::map<std::string, std::set<std::string>> recorded;
  for (const SetRecipe& set : recipe.sets) open_source(set, recipe, Part::train)->collect_recorded(recorded);
  std::vector<std::string> senses = {"image"};
  for (const auto& [name, labels] : recorded) senses.push_back(name);
  return senses;
}

// The model of `init` with a joint space that starts at random.
Base open_base(const Recipe& recipe) {
  const fs::path folder = recipe.init, config_path = folder / "config.json",
                 weights_path = folder / "model.safetensors";
  require(models::is_native(folder), ErrorKind::usage,
          "{}: is a published model; \"joint\" is for the native one (\"bind\" binds senses of ImageBind)",
          folder.string());
  Json json = read_json_file(config_path);
  require(!json.contains("quantization"), ErrorKind::usage,
          "{}: quantised weights do not train; start from the model that they were made of", folder.string());
  (void)models::JointConfig::from_json(recipe.joint->sizes, "recipe: joint");
  json["joint"] = recipe.joint->sizes;
  json["joint"]["senses"] = senses_of(recipe);
  models::SensoriumConfig config = models::SensoriumConfig::from_json(json, config_path.string());
  if (!recipe.licence.empty()) config.licence = recipe.licence;
  if (!recipe.trained_on.empty()) config.trained_on = recipe.trained_on;
  if (recipe.gives("name")) config.name = recipe.name;
  Base base;
  base.tokenizer_json = read_file(folder / "tokenizer.json");
  base.model = std::make_unique<models::SensoriumModel>(config, text::parse_tokenizer_json(base.tokenizer_json).value(),
                                                        nn::ParameterStore(recipe.seed));
  const io::SafetensorsFile weights = io::SafetensorsFile::open(weights_path);
  for (nn::Parameter& parameter : base.model->store().parameters()) {
    if (parameter.name.starts_with(kJoint)) continue;
    require(weights.contains(parameter.name), ErrorKind::invalid_data, "{}: tensor {} is missing",
            weights_path.string(), parameter.name);
    parameter.value.copy_from(weights.tensor(parameter.name));
  }
  base.model->store().set_trainable({"*"}, false);
  base.model->store().set_trainable({std::string(kJoint) + "*"}, true);
  base.fingerprint = to_hex(sha256(read_file(weights_path)));
  return base;
}

class JointCourse : public Course {
 public:
  explicit JointCourse(const Recipe& recipe) : recipe_(recipe), base_(open_base(recipe)) {
    require(!recipe.sets.empty(), ErrorKind::usage, "the recipe names no data: give data.train=FILE");
    const auto read = [&](Part part, int64_t views, JointItems& items) {
      for (const SetRecipe& set : recipe_.sets) {
        const std::unique_ptr<LessonSource> source = open_source(set, recipe_, part);
        if (part == Part::train || source->size() > 0)
          items.add(*base_.model, *source, set, views, recipe_.seed, recipe_.compute);
      }
      items.finish();
    };
    read(Part::train, recipe.joint->views, items_);
    // What the threshold is chosen by has not been learned; without such a part, what there is.
    read(recipe.validation_fraction > 0 ? Part::validation : Part::train, 1, held_out_);
    for (const SetRecipe& set : recipe.sets)
      cumulative_.push_back((cumulative_.empty() ? 0 : cumulative_.back()) + set.weight);
    TrainerOptions& options = recipe_.trainer;
    if (recipe.warmup_fraction > 0)
      options.schedule.warmup_steps = warmup_of(recipe.warmup_fraction, options.schedule.total_steps);
    options.optimizer.rates = relative_rates(recipe);
    options.kept = Kept::trained;
    options.fingerprint = to_hex(sha256(options.fingerprint + base_.fingerprint)).substr(0, 16);
    tokens_.resize(items_.texts().size());
    for (size_t i = 0; i < tokens_.size(); ++i) tokens_[i] = base_.model->tokenizer().encode(items_.texts()[i]);
  }

  nn::ParameterStore& store() override { return base_.model->store(); }
  TrainerOptions options() const override { return recipe_.trainer; }
  fs::path result() const override { return recipe_.out / "model"; }
  Fit fit() const override { return {}; }

  BatchResult run_batch(int64_t step, int64_t part) override {
    const auto index = static_cast<uint64_t>(step * recipe_.trainer.accumulate + part);
    const models::JointSpace& joint = base_.model->joint();
    const std::vector<Drawn> batch = draw(index);
    Rng drops = Rng::for_item(recipe_.seed * 2 + kDrops, index);
    std::vector<Tensor> parts;
    for (size_t begin = 0; begin < batch.size();) {
      size_t end = begin;
      std::vector<int32_t> rows;
      for (; end < batch.size() && batch[end].sense == batch[begin].sense; ++end) rows.push_back(batch[end].row);
      const JointItems::SenseFeatures& sense = items_.senses()[batch[begin].sense];
      const Tensor rows_NC =
          ops::gather_rows(sense.features_RC, Tensor::from(rows, {static_cast<int64_t>(rows.size())}));
      parts.push_back(
          joint.place(sense.name, ops::dropout(rows_NC, static_cast<float>(recipe_.joint->dropout), drops)));
      begin = end;
    }
    std::vector<int32_t> texts, places, groups;
    for (const Drawn& drawn : batch) {
      const auto found = std::ranges::find(texts, drawn.text);
      places.push_back(static_cast<int32_t>(found - texts.begin()));
      if (found == texts.end()) texts.push_back(drawn.text);
      groups.push_back(drawn.concept_id);
    }
    std::vector<std::vector<int32_t>> phrases;
    for (const int32_t text : texts) phrases.push_back(tokens_[static_cast<size_t>(text)]);
    const auto pairs = static_cast<int64_t>(batch.size());
    const Tensor texts_NC = joint.place_texts(base_.model->decoder(), models::make_queries(phrases));
    const Tensor own_NC = ops::gather_rows(texts_NC, Tensor::from(places, {pairs}));
    const Tensor log_scale = joint.log_scale();
    const Tensor loss = ops::info_nce(ops::concat_rows(parts), own_NC, log_scale, Tensor::from(groups, {pairs}));
    return {.loss = loss,
            .parts = {{"info_nce", loss.item()}, {"temperature", std::exp(-log_scale.item())}},
            .images = pairs};
  }

  void save(int64_t /*step*/) override {
    const NoGrad no_grad;
    models::JointConfig& config = *base_.model->mutable_config().joint;
    std::vector<Tensor> vectors;
    for (const JointItems::SenseFeatures& sense : held_out_.senses())
      vectors.push_back(base_.model->joint().place(sense.name, sense.features_RC));
    config.same_cosine = best_same_cosine(held_out_, vectors, models::JointConfig().same_cosine);
    models::save_model(result(), *base_.model, base_.tokenizer_json, DType::bf16);
  }

 private:
  struct Drawn {
    size_t sense;
    int32_t row, concept_id, text;
  };

  // The pairs of a batch, those of one sense side by side: a pure function of the recipe and the batch's number.
  std::vector<Drawn> draw(uint64_t index) const {
    std::vector<Drawn> batch;
    const auto size = static_cast<uint64_t>(recipe_.pairs_per_batch);
    for (uint64_t i = 0; i < size; ++i) {
      Rng rng = Rng::for_item(recipe_.seed * 2 + kDraws, index * size + i);
      const double point = rng.uniform() * cumulative_.back();
      const auto set = static_cast<size_t>(std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, point) -
                                           cumulative_.begin());
      const JointItem& item = rng.pick(items_.sets()[set]);
      const auto view = static_cast<int64_t>(rng.below(static_cast<uint64_t>(item.views)));
      batch.push_back({item.sense, static_cast<int32_t>(item.row + view), item.concept_id, rng.pick(item.texts)});
    }
    std::ranges::stable_sort(batch, {}, &Drawn::sense);
    return batch;
  }

  Recipe recipe_;
  Base base_;
  JointItems items_, held_out_;
  std::vector<std::vector<int32_t>> tokens_;  // of the texts
  std::vector<double> cumulative_;            // of the sets' weights
};

}  // namespace

std::unique_ptr<Course> open_joint_course(const Recipe& recipe) {
  require(!recipe.init.empty(), ErrorKind::usage,
          "\"init\" is missing: give init=FOLDER, a native model whose encoders are trained");
  return std::make_unique<JointCourse>(recipe);
}

}  // namespace sensorium::train
