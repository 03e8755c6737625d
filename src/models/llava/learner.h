// LLaVA and its successors as training needs them (Liu 2023, two stages: the projector alone, then projector and decoder).
#pragma once

#include <memory>

#include "models/decoder/learner.h"
#include "models/llava/model.h"

namespace sensorium::models {

class LlavaLearner : public DecoderLearner {
 public:
  // `model` was loaded from `checkpoint`. Throws Error as DecoderLearner.
  LlavaLearner(std::unique_ptr<Checkpoint> checkpoint, std::unique_ptr<LlavaModel> model,
               const LearnerOptions& options);

  LearnedConversation prepare(std::span<const ChatMessage> turns, int64_t max_tokens) const override;

 protected:
  Tensor embed(std::span<const int32_t> ids, std::span<const LearnedConversation> batch) const override;

 private:
  static Parts parts_of(LlavaModel& model);

  std::unique_ptr<LlavaModel> model_;
};

// For the table of families: `M` is LlavaModel or derived from it.
template <typename M>
std::unique_ptr<Learner> learn_llava(std::unique_ptr<Checkpoint> checkpoint, const LearnerOptions& options) {
  std::unique_ptr<LlavaModel> model = M::load(*checkpoint, options.load.compute);
  return std::make_unique<LlavaLearner>(std::move(checkpoint), std::move(model), options);
}

}  // namespace sensorium::models
