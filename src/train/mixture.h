// The sets of a run and what its steps draw from them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "data/mixture.h"
#include "train/lesson_source.h"

namespace sensorium::train {

struct Mixture {
  std::vector<SetRecipe> sets;
  std::vector<std::unique_ptr<LessonSource>> sources;
  std::vector<double> cumulative;                // of the weights
  std::optional<data::MixtureSampler> shuffled;  // none: every draw for itself

  // Throws Error(invalid_data) for a source without lessons.
  void add(const SetRecipe& set, std::unique_ptr<LessonSource> source);
  // The set and the lesson of draw `number` of the run.
  std::pair<size_t, int64_t> pick(uint64_t number, Rng& rng) const;
};

struct Mixtures {
  Mixture pictures, readings, texts;
};
// Opens the sets of a recipe. Throws Error as the readers do, and usage if there are none.
Mixtures open_mixtures(const Recipe& recipe);

// What a step draws: for each picture, reading or text, its set and its lesson.
struct Draw {
  size_t set;
  Lesson lesson;
  Rng rng;
};
struct StepDraws {
  std::vector<Draw> pictures, readings, texts;
};
// A pure function of the recipe, the step and its part: a resumed run draws what the uninterrupted one does.
StepDraws draw_step(const Mixtures& mixtures, const Recipe& recipe, int64_t step, int64_t part);

}  // namespace sensorium::train
