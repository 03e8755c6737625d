// A sense of the native model beside the eyes: an encoder of its signals, a classifier that says what a recording is of, a
// connector that makes decoder tokens of it. Parameters: senses.<name>.encoder, .classifier and
// .projector.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "modality/senses.h"
#include "models/sensorium/config.h"
#include "models/sensorium/connector.h"
#include "models/sensorium/heads.h"
#include "models/sensorium/prompt.h"

namespace sensorium::models {

class Sense {
 public:
  // `label_queries`: of config.labels, by the model's tokenizer.
  Sense(nn::ParameterStore& store, const SenseConfig& config, const SensoriumConfig& model, Queries label_queries);

  const modality::SenseKind& kind() const { return *config_.kind; }
  const std::vector<std::string>& labels() const { return config_.labels; }
  const Queries& label_queries() const { return label_queries_; }

  // Signals of this sense. `eyes`: the model's encoder of pictures.
  modality::ImageFeatures encode(const modality::ImageEncoder& eyes, std::span<const modality::Signal* const> signals,
                                 DType compute) const {
    return (*encoder_)(eyes, signals, compute);
  }
  // f32 [signals, phrases].
  Tensor classify(const modality::ImageFeatures& features, const Queries& queries) const {
    return classifier_(features, queries);
  }
  // [T, decoder dim]; `token_offsets` receives the signals' rows.
  Tensor project(const modality::ImageFeatures& features, std::vector<int64_t>& token_offsets) const {
    return connector_(features, token_offsets);
  }
  // Rows of project() for a signal.
  int64_t token_count(const modality::Signal& signal) const { return connector_.rows(encoder_->grid(signal)); }
  void set_checkpointing(bool on) { encoder_->set_checkpointing(on); }

  // Probabilities of phrases (at least one) for a recording: the mean over its windows.
  std::vector<float> probabilities(const modality::ImageFeatures& features, const Queries& queries) const;

 private:
  SenseConfig config_;
  std::unique_ptr<modality::SignalEncoder> encoder_;
  Classifier classifier_;
  Connector connector_;
  Queries label_queries_;
};

// The windows of a recording as signals. The kind is the recording's.
std::vector<modality::Signal> signals_of(const modality::Recording& recording);
std::vector<const modality::Signal*> pointers_to(std::span<const modality::Signal> signals);

}  // namespace sensorium::models
