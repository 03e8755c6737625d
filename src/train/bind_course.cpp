// A sense of ImageBind is bound to its space: its tower learns to say of an input what the frozen towers say of the picture or the
// text that belongs to it, by InfoNCE over the pairs of a batch.
// Legend: N pairs of a batch, A anchors, C numbers of a vector.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/sha256.h"
#include "data/dataset.h"
#include "data/mixture.h"
#include "data/prefetch.h"
#include "models/embedding/load_input.h"
#include "models/embedding/vectors.h"
#include "models/imagebind/learner.h"
#include "ops/contrastive.h"
#include "train/course.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;
using models::EmbedInput;
using models::InputSense;

constexpr size_t kAnchorBatch = 32;               // anchors that the frozen tower sees at once
constexpr uint64_t kDraws = 0xB1, kDrops = 0xD0;  // streams of a seed that must not meet

// The recipe with what the authors published in place of what it leaves open.
Recipe with_published(Recipe recipe) {
  const models::PublishedBinding& row = models::published_binding(recipe.bind->sense);
  TrainerOptions& trainer = recipe.trainer;
  if (!recipe.gives("train.learning_rate")) trainer.schedule.peak = row.learning_rate;
  if (!recipe.gives("train.weight_decay")) trainer.optimizer.weight_decay = row.weight_decay;
  if (!recipe.gives("train.steps") && recipe.epochs == 0) recipe.epochs = static_cast<double>(row.epochs);
  if (!recipe.gives("train.warmup_steps") && recipe.warmup_fraction == 0) {
    recipe.warmup_fraction = static_cast<double>(row.warmup_epochs) / static_cast<double>(row.epochs);
  }
  if (!recipe.gives("data.pairs_per_batch")) recipe.pairs_per_batch = row.batch;
  if (!recipe.bind->temperature) recipe.bind->temperature = row.temperature;
  if (!recipe.bind->drop_path) recipe.bind->drop_path = recipe.conversations.lora ? 0 : row.drop_path;
  return recipe;
}

models::BindOptions bind_options(const Recipe& recipe) {
  const std::string& sense = recipe.bind->sense;
  models::BindOptions options{.sense = *models::find_sense(sense),
                              .compute = recipe.compute,
                              .trainable = {},
                              .lora = recipe.conversations.lora,
                              .temperature = *recipe.bind->temperature,
                              .learn_temperature = recipe.bind->learn_temperature,
                              .drop_path = *recipe.bind->drop_path,
                              .checkpointing = recipe.activation_checkpointing,
                              .seed = recipe.seed};
  // Low-rank changes are trained alone unless the recipe names more; else the whole tower.
  if (recipe.gives("trainable")) {
    options.trainable = recipe.trainable;
  } else if (!options.lora) {
    options.trainable = {sense + ".*"};
  }
  return options;
}

// An input of the sense, and what belongs to it: one of several anchors, which are texts or pictures.
struct Pair {
  std::string medium, where;
  std::vector<int32_t> anchors;
};

// The pairs of the recipe's sets, with every anchor once.
struct Pairs {
  std::vector<Pair> pairs;
  std::vector<EmbedInput> anchors;  // a picture is named only: it is loaded when its turn comes
  std::vector<int32_t> groups;      // of the anchors: those of one class say the same
};

const std::string* medium_of(const data::Record& record, std::string_view sense) {
  for (const data::MessagePart& part : record.media) {
    if (data::field_name(part.kind) == sense) return &part.value;
  }
  return nullptr;
}

class PairReader {
 public:
  explicit PairReader(const BindRecipe& bind) : bind_(bind), sense_(*models::find_sense(bind.sense)) {}

  void add(const data::Record& record) {
    const std::string* medium = medium_of(record, bind_.sense);
    if (medium == nullptr) return;
    Pair pair{*medium, record.where, {}};
    if (bind_.anchor == "image") {
      if (const std::string* picture = medium_of(record, "image"))
        pair.anchors.push_back(anchor({.sense = InputSense::image, .name = *picture}, *picture, *picture));
    } else if (!record.captions.empty()) {
      for (const std::string& caption : record.captions) pair.anchors.push_back(text(caption, caption));
    } else if (!record.label.empty()) {
      for (std::string pattern : models::prompt_templates(sense_))
        pair.anchors.push_back(text(pattern.replace(pattern.find("{}"), 2, record.label), record.label));
    }
    if (!pair.anchors.empty()) result_.pairs.push_back(std::move(pair));
  }
  Pairs take() { return std::move(result_); }

 private:
  int32_t text(const std::string& words, const std::string& group) {
    return anchor({.sense = InputSense::text, .text = words, .name = words}, words, group);
  }
  int32_t anchor(EmbedInput input, const std::string& key, const std::string& group) {
    const auto [found, is_new] = known_.emplace(key, static_cast<int32_t>(result_.anchors.size()));
    if (is_new) {
      result_.anchors.push_back(std::move(input));
      result_.groups.push_back(groups_.emplace(group, static_cast<int32_t>(groups_.size())).first->second);
    }
    return found->second;
  }

  BindRecipe bind_;
  InputSense sense_;
  Pairs result_;
  std::unordered_map<std::string, int32_t> known_, groups_;
};

Pairs read_pairs(const Recipe& recipe) {
  PairReader reader(*recipe.bind);
  std::string sets;
  for (const SetRecipe& set : recipe.sets) {
    require(
        set.world.empty() && set.augment == "none" && set.cutmix == 0, ErrorKind::usage,
        "data.sets: a binding reads the records of files as they are: \"world\", \"augment\" and \"cutmix\" are for "
        "the native model");
    const std::unique_ptr<data::Dataset> dataset = data::open_dataset(recipe.data_root / set.path);
    sets += (sets.empty() ? "" : ", ") + (recipe.data_root / set.path).string();
    for (int64_t i = 0; i < dataset->size(); ++i) {
      if (!data::in_validation_part(*dataset, i, recipe.validation_fraction)) reader.add(dataset->get(i));
    }
  }
  require(!recipe.sets.empty(), ErrorKind::usage, "data.train is missing: give data.train=FILE");
  Pairs pairs = reader.take();
  require(pairs.anchors.size() >= 2, ErrorKind::invalid_data,
          "{}: {} records hold both {} and {}, of {} different ones; contrasts need two at least", sets,
          pairs.pairs.size(), recipe.bind->sense, recipe.bind->anchor == "image" ? "image" : "a caption or class",
          pairs.anchors.size());
  return pairs;
}

// What the frozen towers say of the anchors, unit vectors [A, dim].
Tensor embed_anchors(const models::Imagebind& model, const std::vector<EmbedInput>& anchors) {
  std::vector<Tensor> parts;
  for (size_t begin = 0; begin < anchors.size(); begin += kAnchorBatch) {
    check_interrupted();
    std::vector<EmbedInput> inputs;
    for (size_t i = begin; i < std::min(begin + kAnchorBatch, anchors.size()); ++i) {
      const EmbedInput& anchor = anchors[i];
      inputs.push_back(anchor.sense == InputSense::text ? anchor : models::load_input(anchor.name, anchor.sense));
    }
    parts.push_back(models::unit_rows(model.embed(inputs)));
  }
  return ops::concat_rows(parts);
}

class BindCourse : public Course {
 public:
  explicit BindCourse(const Recipe& given)
      : recipe_(with_published(given)),
        pairs_(read_pairs(recipe_)),
        learner_(recipe_.init, bind_options(recipe_)),
        room_(recipe_.cache_megabytes << 20),
        prepared_(pairs_.pairs.size()) {
    const auto count = static_cast<int64_t>(pairs_.pairs.size());
    batch_ = std::min(recipe_.pairs_per_batch, count);
    TrainerOptions& options = recipe_.trainer;
    Schedule& schedule = options.schedule;
    if (recipe_.epochs > 0) {
      const auto per_step = static_cast<double>(batch_ * options.accumulate);
      schedule.total_steps =
          std::max<int64_t>(1, static_cast<int64_t>(std::ceil(recipe_.epochs * static_cast<double>(count) / per_step)));
    }
    if (recipe_.warmup_fraction > 0) schedule.warmup_steps = warmup_of(recipe_.warmup_fraction, schedule.total_steps);
    options.kept = Kept::trained;
    options.optimizer.rates = relative_rates(recipe_);
    // The frozen part of the model and the number of pairs are part of what a resume must find unchanged.
    const std::string base = learner_.checkpoint().config().dump();
    options.fingerprint =
        to_hex(sha256(fmt::format("{} {} {} {}", options.fingerprint, schedule.total_steps, count, base)))
            .substr(0, 16);
    anchors_AC_ = embed_anchors(learner_.model(), pairs_.anchors);
  }

  nn::ParameterStore& store() override { return learner_.store(); }
  TrainerOptions options() const override { return recipe_.trainer; }
  fs::path result() const override { return recipe_.out / "model"; }
  Fit fit() const override { return {}; }

  BatchResult run_batch(int64_t step, int64_t part) override {
    const int64_t index = step * recipe_.trainer.accumulate + part;
    const Batch batch = batches_.at(index);
    learner_.draw_dropout(Rng::for_item(recipe_.seed * 2 + kDrops, static_cast<uint64_t>(index)).next());
    const auto embed = [this, clips = batch.clips_NCHW](int64_t begin, int64_t end) {
      return learner_.embed(clips.slice(begin, end), begin);
    };
    const int64_t pairs = batch.anchors_N.dim(0), piece = recipe_.pairs_per_piece;
    const Tensor items_NC = piece == 0 || piece >= pairs ? embed(0, pairs) : ops::in_pieces(pairs, piece, embed);
    const Tensor own_NC = ops::gather_rows(anchors_AC_, batch.anchors_N);
    const Tensor loss = ops::info_nce(items_NC, own_NC, learner_.log_scale(), batch.groups_N);
    return {.loss = loss,
            .parts = {{"info_nce", loss.item()}, {"temperature", std::exp(-learner_.log_scale().item())}},
            .images = pairs};
  }

  void save(int64_t /*step*/) override {
    std::error_code code;
    fs::create_directories(result(), code);
    require(!code, ErrorKind::io, "{}: cannot create: {}", result().string(), code.message());
    learner_.save(result());
  }

 private:
  struct Batch {
    Tensor clips_NCHW, anchors_N, groups_N;
  };

  // A pure function of the recipe and the batch's number, on the prefetcher's thread.
  Batch prepare(uint64_t index) {
    Batch batch;
    const auto size = static_cast<uint64_t>(batch_), count = static_cast<uint64_t>(pairs_.pairs.size());
    std::vector<Tensor> clips;
    std::vector<int32_t> anchors, groups;
    for (uint64_t i = index * size; i < (index + 1) * size; ++i) {
      Rng rng = Rng::for_item(recipe_.seed * 2 + kDraws, i);
      // Every pair once, in an order of each round's own.
      const auto at =
          static_cast<size_t>(data::permuted_index(Rng::for_item(recipe_.seed, i / count).next(), count, i % count));
      const Tensor all = prepared(at);
      const auto clip = static_cast<int64_t>(rng.below(static_cast<uint64_t>(all.dim(0))));
      clips.push_back(all.slice(clip, clip + 1));
      anchors.push_back(rng.pick(pairs_.pairs[at].anchors));
      groups.push_back(pairs_.groups[static_cast<size_t>(anchors.back())]);
    }
    batch.clips_NCHW = ops::concat_rows(clips);
    batch.anchors_N = Tensor::from(anchors, {batch_});
    batch.groups_N = Tensor::from(groups, {batch_});
    return batch;
  }

  // Kept while there is room: training comes back to the same pairs.
  Tensor prepared(size_t at) {
    if (prepared_[at].defined()) return prepared_[at];
    const Pair& pair = pairs_.pairs[at];
    Tensor clips;
    try {
      clips = learner_.prepare(models::load_input(pair.medium, *models::find_sense(recipe_.bind->sense)));
    } catch (const Error& error) {
      throw error.with_context(pair.where);
    }
    const auto bytes = static_cast<int64_t>(clips.bytes());
    if (bytes <= room_) {
      room_ -= bytes;
      prepared_[at] = clips;
    }
    return clips;
  }

  Recipe recipe_;
  Pairs pairs_;
  models::ImagebindLearner learner_;
  Tensor anchors_AC_;
  int64_t batch_ = 0, room_;
  std::vector<Tensor> prepared_;  // of the pairs; the prefetcher's alone
  data::PrefetchedSequence<Batch> batches_{[this](int64_t index) { return prepare(static_cast<uint64_t>(index)); },
                                           2};  // ends before what it reads
};

}  // namespace

std::unique_ptr<Course> open_bind_course(const Recipe& recipe) {
  require(!recipe.init.empty(), ErrorKind::usage, "\"init\" is missing: give init=FOLDER, an ImageBind model");
  require(recipe.trainer.optimizer.ema_decay == 0, ErrorKind::usage,
          "recipe: \"ema_decay\" is for the native model: the average of a published one's weights is not kept");
  return std::make_unique<BindCourse>(recipe);
}

}  // namespace sensorium::train
