// The native model as one that makes vectors of its inputs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/embedding/embedder.h"
#include "models/sensorium/model.h"

namespace sensorium::models {

class SensoriumEmbedder : public Embedder {
 public:
  // The model has a joint space and outlives the embedder.
  SensoriumEmbedder(const SensoriumModel& model, DType compute) : model_(model), compute_(compute) {}

  // Texts, pictures (thermal ones too), films (the mean of their frames where they have no head), and recordings of the senses that
  // the joint space has.
  std::vector<InputSense> senses() const override;
  int64_t embedding_dim() const override { return model_.joint().config().dim; }
  // Of unit length.
  Tensor embed(std::span<const EmbedInput> inputs) const override;
  // Cosines over the learned temperature.
  Tensor compare(const Tensor& items, const Tensor& others) const override;
  std::optional<double> same_cosine() const override { return model_.config().joint->same_cosine; }

 private:
  Tensor embed_texts(std::span<const EmbedInput* const> inputs) const;
  Tensor embed_pictures(std::span<const media::Image* const> images) const;
  Tensor embed_one(const EmbedInput& input) const;

  const SensoriumModel& model_;
  DType compute_;
};

// What a sense hears or feels of an input that holds decoded samples: audio of any rate and number of channels; imu [6, steps] at
// 50 Hz, acceleration in m/s^2 and rotation in rad/s; other senses from the file that the input names. Throws Error as the sense.
modality::Recording recording_of(const EmbedInput& input);

}  // namespace sensorium::models
