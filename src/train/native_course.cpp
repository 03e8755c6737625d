// The native model: pictures, recordings, readings and texts, its heads and its decoder at once.
#include <algorithm>

#include "data/prefetch.h"
#include "models/sensorium/objectives.h"
#include "train/batch_builder.h"
#include "train/build_model.h"
#include "train/calibrate.h"
#include "train/course.h"

namespace sensorium::train {
namespace {

// Whether a head learns from the picture with these weights.
bool teaches_heads(const models::TrainingImage& image, const models::LossWeights& losses) {
  return (image.label >= 0 && losses.label > 0) || (image.boxes_known && losses.detection > 0);
}

// Whether anything of the batch teaches with these weights.
bool teaches(const models::TrainingBatch& batch, const models::LossWeights& losses) {
  const auto common = [&](const auto& percept) {
    return (losses.masked_patches > 0 && !percept.hidden.empty()) ||
           (losses.contrastive > 0 && !percept.called.phrase.empty());
  };
  return (losses.language > 0 && !batch.sequences.empty()) || (losses.masked_text > 0 && !batch.masked.empty()) ||
         std::ranges::any_of(batch.images,
                             [&](const auto& image) { return teaches_heads(image, losses) || common(image); }) ||
         std::ranges::any_of(batch.recordings, [&](const auto& recording) {
           return (losses.label > 0 && recording.is_labelled()) ||
                  (losses.frame_order > 0 && !recording.order.empty()) || common(recording);
         });
}

class NativeCourse : public Course {
 public:
  explicit NativeCourse(const Recipe& recipe)
      : recipe_(recipe),
        mixtures_(open_mixtures(recipe_)),
        built_(build_model(recipe_, mixtures_)),
        heads_(built_.model->store(), built_.model->config(), recipe_.losses),
        builder_(*built_.model, recipe_) {
    store().set_trainable({"*"}, false);
    require(store().set_trainable(recipe_.trainable, true) > 0, ErrorKind::usage,
            "\"trainable\" matches no parameter of the model");
    store().set_trainable({std::string(models::ObjectiveHeads::kPrefix) + "*"}, true);
    require(recipe_.losses.contrastive == 0 || built_.model->config().joint, ErrorKind::usage,
            "\"losses.contrastive\" needs a joint space: give its sizes in model.joint");
    built_.model->set_checkpointing(recipe_.activation_checkpointing);
  }

  nn::ParameterStore& store() override { return built_.model->store(); }
  TrainerOptions options() const override { return recipe_.trainer; }
  std::filesystem::path result() const override { return recipe_.out / "model"; }
  Fit fit() const override {
    return {builder_.fit().all, builder_.fit().too_long, built_.model->config().decoder.context};
  }

  BatchResult run_batch(int64_t step, int64_t part) override {
    models::SensoriumModel& model = *built_.model;
    const int64_t index = step * recipe_.trainer.accumulate + part;
    StepDraws draws = draws_.at(index);
    models::TrainingBatch batch;
    for (Draw& draw : draws.pictures) builder_.add(batch, draw.lesson, mixtures_.pictures.sets[draw.set], draw.rng);
    Rng rng = Rng::for_item(recipe_.seed * 2 + 7, static_cast<uint64_t>(index));
    builder_.finish(batch, rng);
    for (Draw& draw : draws.readings)
      builder_.add_reading(batch, draw.lesson, mixtures_.readings.sets[draw.set], draw.rng);
    for (Draw& draw : draws.texts) builder_.add_text(batch, draw.lesson, draw.rng);
    const auto images = static_cast<int64_t>(batch.images.size() + batch.recordings.size());
    if (!teaches(batch, recipe_.losses)) {
      patience_.silent(fit(), "the records carry nothing that these \"losses\" use");
      return BatchResult{.images = images};
    }
    patience_.taught();
    const models::BatchLosses losses = models::training_loss(model, batch, recipe_.losses, recipe_.compute, &heads_);
    BatchResult result{.loss = losses.total,
                       .parts = {{"label", losses.label},
                                 {"sense", losses.sense},
                                 {"center", losses.center},
                                 {"box", losses.box},
                                 {"language", losses.language}},
                       .tokens = losses.text_tokens,
                       .images = images};
    const auto report = [&](const char* name, float weight, float loss) {
      if (weight > 0) result.parts.emplace_back(name, loss);
    };
    report("masked_text", recipe_.losses.masked_text, losses.masked_text);
    report("masked_patches", recipe_.losses.masked_patches, losses.masked_patches);
    report("frame_order", recipe_.losses.frame_order, losses.frame_order);
    report("contrastive", recipe_.losses.contrastive, losses.contrastive);
    return result;
  }

  void save(int64_t step) override {
    const bool last = step == recipe_.trainer.schedule.total_steps;
    if (last && recipe_.validation_fraction > 0 && recipe_.losses.detection > 0)
      calibrate_thresholds(*built_.model, mixtures_.pictures.sets, recipe_);
    models::save_model(result(), *built_.model, built_.tokenizer_json, DType::bf16);
  }

 private:
  Recipe recipe_;
  Mixtures mixtures_;
  BuiltModel built_;
  models::ObjectiveHeads heads_;
  BatchBuilder builder_;
  Patience patience_;
  data::PrefetchedSequence<StepDraws> draws_{[this](int64_t index) {
                                               const int64_t parts = recipe_.trainer.accumulate;
                                               return draw_step(mixtures_, recipe_, index / parts, index % parts);
                                             },
                                             3};  // ends before what it reads
};

}  // namespace

std::unique_ptr<Course> open_native_course(const Recipe& recipe) {
  Recipe complete = recipe;
  if (recipe.warmup_fraction > 0) {
    Schedule& schedule = complete.trainer.schedule;
    schedule.warmup_steps = warmup_of(recipe.warmup_fraction, schedule.total_steps);
  }
  complete.trainer.optimizer.rates = relative_rates(recipe);
  return std::make_unique<NativeCourse>(complete);
}

}  // namespace sensorium::train
