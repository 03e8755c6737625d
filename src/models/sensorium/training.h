// The native model's training objectives on a batch.
#pragma once

#include <optional>
#include <vector>

#include "models/sensorium/model.h"

namespace sensorium::models {

// An object that a picture is known to hold; box in pixels of the prepared picture.
struct ObjectTarget {
  int object = 0;  // index into HeadsConfig::objects
  Box box;
};

// What a picture or a recording is called, for the joint space.
struct Called {
  std::vector<int32_t> phrase = {};  // tokens; empty: nobody says
  int32_t concept_id = 0;            // the same for all phrases that mean the same
};

struct TrainingImage {
  media::Image image;    // of its prepared size
  int label = -1;        // index into HeadsConfig::labels; -1: unknown
  int other_label = -1;  // of a second picture that covers `other_share` of this one
  float other_share = 0;
  bool boxes_known = false;  // all objects of all kinds are listed, but for `unknown_objects`
  std::vector<ObjectTarget> objects;
  std::vector<int> unknown_objects;  // kinds that nobody has marked in this picture
  std::vector<uint8_t> hidden =
      {};  // 1: of the encoder's tokens (row by row), one whose patch is to be guessed; empty: none
  Called called = {};
};

struct TrainingRecording {
  const modality::SenseKind* sense = nullptr;
  modality::Signal signal;           // one window
  int label = -1;                    // index into the sense's labels; -1: unknown
  int trait = -1;                    // a second label that is also true ("motion"); -1: none
  std::vector<std::string> facts;    // of the recording
  std::vector<uint8_t> hidden = {};  // as TrainingImage::hidden
  std::vector<int> order = {};       // of a film whose order is asked: which frame is shown when; empty: not asked
  Called called = {};
  bool is_labelled() const { return label >= 0 || trait >= 0; }
};

struct TrainingBatch {
  std::vector<TrainingImage> images;
  std::vector<TrainingRecording> recordings;
  // What the encoder says about the images, from whoever has asked it already; only for an encoder that does not train.
  std::optional<modality::ImageFeatures> features;
  // Their `images` count this batch's pictures and, behind these, its recordings.
  std::vector<TokenSequence> sequences;
  std::vector<TokenSequence> masked = {};  // texts with hidden spans, which the answers fill in
};

struct LossWeights {
  float label = 1, detection = 1, box = 1, language = 1;
  float label_smoothing = 0.05f;
  float masked_text = 0, masked_patches = 0, frame_order = 0, contrastive = 0;
};

struct BatchLosses {
  Tensor total;  // [1], with its graph
  // Undetached parts for the log; NaN: the batch has no such part. `sense`: labels of recordings, the mean over the senses.
  float label = 0, sense = 0, center = 0, box = 0, language = 0;
  float masked_text = 0, masked_patches = 0, frame_order = 0, contrastive = 0;
  int64_t text_tokens = 0;  // all tokens through the decoder
};

// The batch's pictures as the encoder takes them.
modality::PreparedImages pack_pictures(const TrainingBatch& batch, DType compute);

// Which of the batch's recordings are of a sense, in order.
std::vector<size_t> recordings_of(const TrainingBatch& batch, const Sense& sense);
// What the sense's encoder says about these recordings of the batch.
modality::ImageFeatures encode_recordings(const SensoriumModel& model, const Sense& sense, const TrainingBatch& batch,
                                          std::span<const size_t> recordings, DType compute);

class ObjectiveHeads;  // objectives.h

// Runs the batch; a part with weight 0 is not computed. `compute`: f32 or bf16 activations. `heads`: for masked patches and the order
// of frames, which without it are not computed either.
BatchLosses training_loss(const SensoriumModel& model, const TrainingBatch& batch, const LossWeights& weights,
                          DType compute, const ObjectiveHeads* heads = nullptr);

}  // namespace sensorium::models
