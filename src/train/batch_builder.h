// Lessons to batches: augmentation, targets of the heads, prompts with evidence, questions in random order.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/sensorium/training.h"
#include "train/augment.h"
#include "train/conversation.h"
#include "train/lesson.h"
#include "train/recipe.h"

namespace sensorium::train {

class BatchBuilder {
 public:
  BatchBuilder(const models::SensoriumModel& model, const Recipe& recipe);

  // Adds a picture or a recording with what the heads should find in it, and remembers its questions; or those of a
  // conversation; or, of a lesson with nothing to perceive, its text.
  void add(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // Adds a lesson whose picture or recording the decoder does not perceive: evidence and questions alone, so that it learns
  // to read evidence. It costs a fraction of a picture. The evidence is the truth where all of it is known, else what the
  // heads find. Throws Error(usage) for a lesson with nothing to perceive.
  void add_reading(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // Adds a text alone: a conversation, or a window of running text. Throws Error(usage) if there is something to perceive.
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
  // A picture or a recording of the batch.
  struct Percept {
    bool recorded;
    size_t index;                          // among the batch's pictures, or its recordings
    const modality::PictureKind* picture;  // of a picture; null: a photograph
    bool beside_film = false;              // of a sound
  };
  struct Pending {
    std::vector<Percept> percepts;  // one, or those of a conversation in order
    models::Evidence truth;
    std::vector<Exchange> exchanges;
    std::vector<models::ChatMessage> turns;
    std::vector<int32_t> caption = {};  // whose spans are hidden; empty: none are
  };
  // What the heads find now in the pictures and recordings of a batch.
  struct Found {
    std::vector<models::Evidence> pictures, recordings;
  };
  void add_conversation(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  void add_recorded_lesson(models::TrainingBatch& batch, const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // A window of a recording, augmented, with the labels of `about`.
  Percept add_window(models::TrainingBatch& batch, const modality::Recording& recording, const Tensor& window_TC,
                     const Lesson& about, std::string_view augment, Rng& rng);
  // One of a recording's windows; of a film also what is heard meanwhile, if there is a sound and the model hears.
  void add_recording(models::TrainingBatch& batch, const modality::Recording& recording,
                     const modality::Recording* sound, const Lesson& about, const SetRecipe& set, Rng& rng,
                     std::vector<Percept>& percepts);
  // What a picture or recording is called: one of its captions, or its label.
  models::Called called(const Lesson& lesson, const SetRecipe& set, Rng& rng);
  // A caption's tokens for masked modelling; empty: the recipe has none, or the lesson.
  std::vector<int32_t> hidden_caption(const Lesson& lesson, Rng& rng) const;
  void add_masked(models::TrainingBatch& batch, std::span<const View> views, std::span<const int32_t> text, Rng& rng);
  View view_of(const models::TrainingBatch& batch, const Percept& percept, models::Evidence evidence) const;
  // The labels that evidence may tell of a lesson's picture or recording.
  const std::vector<std::string>& labels_for(const Lesson& lesson) const;
  // The truth as heads might report it: boxes a little off, further labels behind the right one.
  // `boxes`: of the lesson's objects, in pixels of a picture of this size; one without an area is not told.
  models::Evidence told(const Lesson& lesson, const std::vector<models::Box>& boxes, int width, int height,
                        const SetRecipe& set, Rng& rng) const;
  // Keeps the features of the pictures if their encoder does not train.
  Found find_evidence(models::TrainingBatch& batch) const;
  // What the heads find in a picture or recording as it is; of a picture remembered if neither encoder nor heads train.
  models::Evidence seen(const std::shared_ptr<const media::Image>& image);
  models::Evidence perceived(const models::ChatPart& part);
  // Whether the decoder learns from anything.
  bool reads() const { return recipe_.losses.language > 0 || recipe_.losses.masked_text > 0; }
  bool trains(std::initializer_list<std::string_view> modules) const;
  // Kinds that a set does not mark although it marks something more special: a black circle is a circle, too.
  std::vector<int> unknown_objects(const SetRecipe& set) const;
  int label_index(const std::string& label) const;
  int object_index(const std::string& object) const;
  void push_if_it_fits(models::TrainingBatch& batch, models::TokenSequence sequence);

  const models::SensoriumModel& model_;
  const Recipe& recipe_;
  std::vector<Pending> pending_;
  std::vector<double> cutmix_;  // of each picture of the batch, see cutmix.h; none yet: empty
  Fit fit_;
  std::map<std::string, int32_t> concepts_;  // their numbers, as they come
  struct Seen {
    std::weak_ptr<const media::Image> image;
    models::Evidence evidence;
  };
  std::unordered_map<const media::Image*, Seen> seen_;
};

}  // namespace sensorium::train
