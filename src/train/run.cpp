#include "train/run.h"

#include <algorithm>

#include "base/log.h"
#include "data/prefetch.h"
#include "train/batch_builder.h"
#include "train/build_model.h"
#include "train/calibrate.h"

namespace sensorium::train {
namespace {

constexpr int64_t kPatience = 20;  // batches in a row with nothing to learn from

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

}  // namespace

RunSummary run_recipe(const Recipe& recipe) {
  const Mixtures mixtures = open_mixtures(recipe);
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
    const auto images = static_cast<int64_t>(batch.images.size() + batch.recordings.size());
    const bool heads_learn = std::any_of(batch.images.begin(), batch.images.end(),
                                         [&](const auto& image) { return teaches_heads(image, recipe.losses); }) ||
                             std::any_of(batch.recordings.begin(), batch.recordings.end(), [&](const auto& recording) {
                               return recording.label >= 0 && recipe.losses.label > 0;
                             });
    if (!heads_learn && (batch.sequences.empty() || recipe.losses.language == 0)) {
      require(++silent < kPatience, ErrorKind::usage, "{} batches in a row had nothing to learn from: {}", silent,
              why_silent(builder.fit(), model.config().decoder.context));
      return BatchResult{.images = images};
    }
    silent = 0;
    const models::BatchLosses losses = models::training_loss(model, batch, recipe.losses, recipe.compute);
    return BatchResult{.loss = losses.total,
                       .parts = {{"label", losses.label},
                                 {"sense", losses.sense},
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
