// Lessons to batches: augmentation, targets of the heads, prompts with evidence, questions in random order.
#pragma once

#include <string>
#include <vector>

#include "models/sensorium/training.h"
#include "train/augment.h"
#include "train/lesson.h"
#include "train/recipe.h"

namespace sensorium::train {

class BatchBuilder {
 public:
  BatchBuilder(const models::SensoriumModel& model, const Recipe& recipe);

  // Adds a picture with what the heads should find in it, and remembers its questions.
  void add(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // Adds a text without a picture: an exchange as a conversation, or a window of running text.
  void add_text(models::TrainingBatch& batch, const Lesson& lesson, Rng& rng) const;
  // Writes the sequences of all pictures added since the last call. A share of the pictures (recipe.predicted_evidence)
  // gets the evidence that the heads give now, the others the truth.
  void finish(models::TrainingBatch& batch, Rng& rng);

 private:
  struct Pending {
    models::Evidence truth;
    std::vector<Exchange> exchanges;
  };
  // What the heads find in every picture of the batch; keeps the encoder's features if the encoder does not train.
  std::vector<models::Evidence> find_evidence(models::TrainingBatch& batch) const;
  // Kinds that a set does not mark although it marks something more special: a black circle is a circle, too.
  std::vector<int> unknown_objects(const SetRecipe& set) const;
  int label_index(const std::string& label) const;
  int object_index(const std::string& object) const;
  models::TokenSequence conversation(const std::vector<Exchange>& exchanges, int picture, int64_t picture_tokens,
                                     const models::Evidence& evidence) const;

  const models::SensoriumModel& model_;
  const Recipe& recipe_;
  std::vector<Pending> pending_;
};

// Questions that the supervision itself answers: captions, where things are, how many there are.
std::vector<Exchange> derived_exchanges(const Lesson& lesson, const std::vector<std::string>& objects);

}  // namespace sensorium::train
