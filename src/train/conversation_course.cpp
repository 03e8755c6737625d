// A published model that learns from conversations.
#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/sha256.h"
#include "data/prefetch.h"
#include "models/learner.h"
#include "train/course.h"
#include "train/dialogue.h"
#include "train/mixture.h"

namespace sensorium::train {
namespace {

namespace fs = std::filesystem;

// Items of a seed's streams that must not meet: draws, and what is dropped.
constexpr uint64_t kDrops = 0xD0;

models::LearnerOptions learner_options(const Recipe& recipe) {
  const ConversationRecipe& own = recipe.conversations;
  models::LearnerOptions options{.load = {.compute = recipe.compute, .chat_template = own.chat_template},
                                 .lora = own.lora,
                                 .adapter = own.adapter,
                                 .checkpointing = recipe.activation_checkpointing,
                                 .seed = recipe.seed};
  // All that a new adapter trains is its own; without one, what the recipe names.
  const bool named = recipe.gives("trainable");
  options.load.trained = named || !own.lora ? recipe.trainable : std::vector<std::string>{};
  return options;
}

Mixtures open_conversations(Recipe recipe) {
  for (SetRecipe& set : recipe.sets) {
    set.boxed_objects = false;
    require(set.world.empty(), ErrorKind::usage,
            "{}: a world's scenes are for the native model; sensorium world writes "
            "them as a set",
            set.world);
    require(set.augment == "none" && set.cutmix == 0, ErrorKind::usage,
            "{}: \"augment\" and \"cutmix\" are for the native model", set.path);
  }
  return open_mixtures(recipe);
}

struct Prepared {
  std::vector<models::LearnedConversation> conversations;  // those that teach
  int64_t all = 0, tokens = 0, images = 0;
};

class ConversationCourse : public Course {
 public:
  explicit ConversationCourse(const Recipe& recipe)
      : recipe_(recipe),
        mixtures_(open_conversations(recipe)),
        learner_(models::load_learner(recipe.init, learner_options(recipe))),
        result_(recipe.out / learner_->result()),
        max_tokens_(learner_->context()) {
    const int64_t wanted = recipe.conversations.max_tokens;
    if (wanted > 0) max_tokens_ = std::min(max_tokens_, wanted);
    Schedule& schedule = recipe_.trainer.schedule;
    if (recipe.epochs > 0) {
      int64_t records = 0;
      for (const auto& source : mixtures_.pictures.sources) records += source->size();
      const double per_step = static_cast<double>(recipe.conversations.per_batch * recipe.trainer.accumulate);
      schedule.total_steps = std::max<int64_t>(
          1, static_cast<int64_t>(std::ceil(recipe.epochs * static_cast<double>(records) / per_step)));
    }
    if (recipe.warmup_fraction > 0) schedule.warmup_steps = warmup_of(recipe.warmup_fraction, schedule.total_steps);
    TrainerOptions& options = recipe_.trainer;
    options.kept = Kept::trained;
    options.optimizer.rates = relative_rates(recipe);
    options.go_on = fmt::format("{}={}", learner_->result() == "adapter" ? "adapter" : "init", result_.string());
    // The frozen part of the model and the number of records are part of what a resume must find unchanged.
    const std::string base = read_file(fs::path(recipe.init) / "config.json");
    options.fingerprint =
        to_hex(sha256(fmt::format("{} {} {}", options.fingerprint, schedule.total_steps, base))).substr(0, 16);
  }

  nn::ParameterStore& store() override { return learner_->store(); }
  TrainerOptions options() const override { return recipe_.trainer; }
  fs::path result() const override { return result_; }
  Fit fit() const override { return {all_, too_long_, max_tokens_}; }

  BatchResult run_batch(int64_t step, int64_t part) override {
    const int64_t index = step * recipe_.trainer.accumulate + part;
    const Prepared batch = batches_.at(index);
    all_ += batch.all;
    too_long_ += batch.all - static_cast<int64_t>(batch.conversations.size());
    if (batch.conversations.empty()) {
      patience_.silent(fit(), "the records hold no conversation");
      return {};
    }
    const uint64_t seed = Rng::for_item(recipe_.seed * 2 + kDrops, static_cast<uint64_t>(index)).next();
    const Tensor loss = learner_->loss(batch.conversations, seed);
    if (!loss.requires_grad()) {
      patience_.silent(fit(), "what trains is for pictures, and no conversation has one");
      return {};
    }
    patience_.taught();
    return {.loss = loss, .parts = {}, .tokens = batch.tokens, .images = batch.images};
  }

  void save(int64_t /*step*/) override {
    std::error_code code;
    fs::create_directories(result_, code);
    require(!code, ErrorKind::io, "{}: cannot create: {}", result_.string(), code.message());
    learner_->save(result_);
  }

 private:
  // A pure function of the recipe and the batch's number, on the prefetcher's thread.
  Prepared prepare(uint64_t index) const {
    Prepared batch;
    const auto count = static_cast<uint64_t>(recipe_.conversations.per_batch);
    for (uint64_t i = 0; i < count; ++i) {
      Rng rng = Rng::for_item(recipe_.seed * 2, index * 65536 + i);
      const auto [set, item] = mixtures_.pictures.pick(index * count + i, rng);
      const Lesson lesson = mixtures_.pictures.sources[set]->get(item);
      models::LearnedConversation conversation;
      try {
        conversation = learner_->prepare(dialogue_of(lesson, rng), max_tokens_);
      } catch (const Error& error) {
        throw lesson.where.empty() ? error : error.with_context(lesson.where);
      }
      ++batch.all;
      if (!conversation.teaches()) continue;
      batch.tokens += static_cast<int64_t>(conversation.ids.size());
      batch.images += static_cast<int64_t>(conversation.pictures.size());
      batch.conversations.push_back(std::move(conversation));
    }
    return batch;
  }

  Recipe recipe_;
  Mixtures mixtures_;
  std::unique_ptr<models::Learner> learner_;
  fs::path result_;
  int64_t max_tokens_;
  int64_t all_ = 0, too_long_ = 0;
  Patience patience_;
  data::PrefetchedSequence<Prepared> batches_{[this](int64_t index) { return prepare(static_cast<uint64_t>(index)); },
                                              2};  // ends before what it reads
};

}  // namespace

std::unique_ptr<Course> open_conversation_course(const Recipe& recipe) {
  require(recipe.trainer.optimizer.ema_decay == 0, ErrorKind::usage,
          "recipe: \"ema_decay\" is for the native model: the average of a published one's weights is not kept");
  return std::make_unique<ConversationCourse>(recipe);
}

}  // namespace sensorium::train
