#include "train/run.h"

#include "base/log.h"
#include "train/course.h"

namespace sensorium::train {

RunSummary run_recipe(const Recipe& recipe) {
  const std::unique_ptr<Course> course = open_course(recipe);
  const TrainResult result = run_training(
      course->store(), course->options(), [&](int64_t step, int64_t part) { return course->run_batch(step, part); },
      [&](int64_t step) { course->save(step); });
  const Course::Fit fit = course->fit();
  if (fit.too_long > 0) {
    log_warning("{} of {} conversations and texts were left out: they are longer than the context of {} tokens",
                fit.too_long, fit.all, fit.context);
  }
  return {.out = recipe.out,
          .model = course->result(),
          .steps = result.steps,
          .loss = result.loss,
          .sequences = fit.all,
          .too_long = fit.too_long};
}

}  // namespace sensorium::train
