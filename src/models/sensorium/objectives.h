// Training objectives that need no labels, and the heads that only they have.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/sensorium/training.h"

namespace sensorium::models {

// Parameters: objectives.<sense>.patches (a linear map from a token to the values of its patch; "image" for the eyes) for every sense
// that reads pictures, objectives.video.order (to two logits). They train with the model and are no part of it: save_model() leaves
// them out.
class ObjectiveHeads {
 public:
  static constexpr std::string_view kPrefix = "objectives.";
  static constexpr int kPatch = 16;  // the side of a token's patch

  // Those that losses of a weight above 0 need.
  ObjectiveHeads(nn::ParameterStore& store, const SensoriumConfig& config, const LossWeights& weights);

  // The mean squared error over the values of all hidden patches (SimMIM, Xie 2022, which hides patches of the encoder's input; the
  // squared error is that of MAE, He 2022), the mean over the senses, f32 [1]; undefined if nothing is hidden.
  Tensor masked_patches(const SensoriumModel& model, const TrainingBatch& batch, DType compute) const;
  // The cross-entropy of telling films in their order from shuffled ones (Misra 2016), over the recordings that have an `order`, f32
  // [1]; undefined if there are none.
  Tensor frame_order(const SensoriumModel& model, const TrainingBatch& batch, DType compute) const;

 private:
  std::map<std::string, nn::Linear, std::less<>> patches_;
  nn::Linear order_;
};

// Pictures and recordings beside what they are called, for ops::info_nce in the model's joint space.
class ContrastivePairs {
 public:
  explicit ContrastivePairs(const SensoriumModel& model) : model_(model) {}
  // names[i]: of picture or window i of `features`; those without a phrase do not count, nor does a sense without a head.
  void add(std::string_view sense, const modality::ImageFeatures& features, const std::vector<const Called*>& names);
  // f32 [1]; undefined for less than two pairs.
  Tensor loss() const;

 private:
  const SensoriumModel& model_;
  std::vector<Tensor> media_NC_;
  std::vector<std::vector<int32_t>> phrases_;
  std::vector<int32_t> concepts_;
};

}  // namespace sensorium::models
