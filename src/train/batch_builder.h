// Lessons to batches: augmentation, targets of the heads, prompts with evidence, questions in random order.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/sensorium/training.h"
#include "train/augment.h"
#include "train/lesson.h"
#include "train/recipe.h"

namespace sensorium::train {

class BatchBuilder {
 public:
  BatchBuilder(const models::SensoriumModel& model, const Recipe& recipe);

  // Adds a picture with what the heads should find in it, and remembers its questions; or the pictures of a conversation; or,
  // of a lesson without a picture, its text.
  void add(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // Adds a lesson whose picture the decoder does not see: evidence and questions alone, so that it learns to read evidence.
  // It costs a fraction of a picture. The evidence is the truth where all of it is known, else what the heads find. Throws
  // Error(usage) for a lesson without a picture.
  void add_reading(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // Adds a text without a picture: a conversation, or a window of running text. Throws Error(usage) for one with a picture.
  void add_text(models::TrainingBatch& batch, const Lesson& lesson, Rng& rng);
  // Writes the sequences of all pictures added since the last call. A share of the pictures (recipe.predicted_evidence)
  // gets the evidence that the heads give now, the others the truth; those of conversations, whose truth nobody wrote down,
  // always what the heads give.
  void finish(models::TrainingBatch& batch, Rng& rng);

  // How many conversations and texts there were, and how many of them were left out because too little of them fits.
  struct Fit {
    int64_t all = 0, too_long = 0;
  };
  const Fit& fit() const { return fit_; }

 private:
  struct Pending {
    size_t picture;  // of the batch; of a conversation the first
    models::Evidence truth;
    std::vector<Exchange> exchanges;
    std::vector<models::ChatMessage> turns;
  };
  // A picture as the decoder meets it. `tokens` 0: it does not see the picture, only the evidence.
  struct View {
    int picture;  // of the batch
    int64_t tokens;
    models::Evidence evidence;
  };
  void add_conversation(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // The truth as heads might report it: boxes a little off, further labels behind the right one.
  // `boxes`: of the lesson's objects, in pixels of a picture of this size; one without an area is not told.
  models::Evidence told(const Lesson& lesson, const std::vector<models::Box>& boxes, int width, int height,
                        const SetRecipe& set, Rng& rng) const;
  // A lesson's questions in random order; without those about numbers if not every object is in the picture.
  std::vector<Exchange> questions(const Lesson& lesson, bool all_visible, const SetRecipe& set, Rng& rng) const;
  // What the heads find in every picture of the batch; keeps the encoder's features if the encoder does not train.
  std::vector<models::Evidence> find_evidence(models::TrainingBatch& batch) const;
  // What the heads find in a picture as it is; remembered if neither encoder nor heads train.
  models::Evidence seen(const std::shared_ptr<const media::Image>& image);
  bool trains(std::initializer_list<std::string_view> modules) const;
  // Kinds that a set does not mark although it marks something more special: a black circle is a circle, too.
  std::vector<int> unknown_objects(const SetRecipe& set) const;
  int label_index(const std::string& label) const;
  int object_index(const std::string& object) const;
  // `picture`: of the batch, with its count of tokens; -1: none, then evidence is told only if there is some.
  models::TokenSequence conversation(const std::vector<Exchange>& exchanges, int picture, int64_t picture_tokens,
                                     const models::Evidence& evidence) const;
  // The turns as they were held: system messages and pictures stay where they are, the assistant's words are learned. `views`:
  // of the pictures in their order.
  models::TokenSequence conversation(const std::vector<models::ChatMessage>& turns,
                                     const std::vector<View>& views) const;
  void push_if_it_fits(models::TrainingBatch& batch, models::TokenSequence sequence);

  const models::SensoriumModel& model_;
  const Recipe& recipe_;
  std::vector<Pending> pending_;
  std::vector<double> cutmix_;  // of each picture of the batch, see cutmix.h; none yet: empty
  Fit fit_;
  struct Seen {
    std::weak_ptr<const media::Image> image;
    models::Evidence evidence;
  };
  std::unordered_map<const media::Image*, Seen> seen_;
};

// Questions that the supervision itself answers: captions, where things are, how many there are.
std::vector<Exchange> derived_exchanges(const Lesson& lesson, const std::vector<std::string>& objects);

}  // namespace sensorium::train
