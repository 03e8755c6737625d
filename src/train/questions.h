// Which questions a lesson asks in a batch.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "train/lesson.h"
#include "train/recipe.h"

namespace sensorium::train {

// Questions that the supervision itself answers: captions, labels of recordings, how many things there are.
std::vector<Exchange> derived_exchanges(const Lesson& lesson, const std::vector<std::string>& objects);

// A lesson's questions in random order, at most recipe.questions_per_image. `all_visible`: every object is in the picture; without
// that nothing is asked that depends on it.
std::vector<Exchange> choose_questions(const Lesson& lesson, bool all_visible, const SetRecipe& set,
                                       const Recipe& recipe, Rng& rng);

}  // namespace sensorium::train
