// What the learners of all families with a decoder have in common: an adapter or whole parameters that train, sequences and their
// loss, and how the result is saved.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/checkpoint/weights.h"
#include "models/decoder/decoder.h"
#include "models/decoder/prompt.h"
#include "models/learner.h"

namespace sensorium::models {

class DecoderLearner : public Learner {
 public:
  nn::ParameterStore& store() override { return parts_.store; }
  int64_t context() const override { return parts_.decoder.config().context; }
  std::string result() const override { return lora_ ? "adapter" : "model"; }
  void save(const std::filesystem::path& folder) const override;
  Tensor loss(std::span<const LearnedConversation> batch, uint64_t seed) override;

 protected:
  // Of a model that was loaded from the checkpoint and outlives this object.
  struct Parts {
    nn::ParameterStore& store;
    Decoder& decoder;
    std::function<void(CheckpointWeights& weights)> map_names;
    const char* decoder_modules;  // where transformers has the decoder's blocks: "model.language_model."
    // Parameters that an adapter may hold whole, and their module's name; "": none.
    const char *whole = "", *whole_module = "";
  };
  // Throws Error: usage (nothing trains; an adapter beside which other parameters than `whole` train; an adapter without
  // "lora"), unsupported (a layout that cannot be written), invalid_data (the adapter).
  DecoderLearner(std::unique_ptr<Checkpoint> checkpoint, const Parts& parts, const LearnerOptions& options);

  // Ids of a batch's conversations, one behind the other, and the rows of its pictures -> [T, dim].
  virtual Tensor embed(std::span<const int32_t> ids, std::span<const LearnedConversation> batch) const = 0;

 private:
  void start_from(const std::filesystem::path& folder);

  std::unique_ptr<Checkpoint> checkpoint_;
  Parts parts_;
  CheckpointWeights names_;
  std::unique_ptr<Lora> lora_;
};

}  // namespace sensorium::models
