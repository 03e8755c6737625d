// Text models as training needs them.
#pragma once

#include <memory>

#include "models/decoder/learner.h"
#include "models/decoder/text_model.h"

namespace sensorium::models {

class TextLearner : public DecoderLearner {
 public:
  // `model` was loaded from `checkpoint`. Throws Error as DecoderLearner.
  TextLearner(std::unique_ptr<Checkpoint> checkpoint, std::unique_ptr<TextModel> model, const LearnerOptions& options);

  LearnedConversation prepare(std::span<const ChatMessage> turns, int64_t max_tokens) const override;

 protected:
  Tensor embed(std::span<const int32_t> ids, std::span<const LearnedConversation> batch) const override;

 private:
  static Parts parts_of(TextModel& model);

  std::unique_ptr<TextModel> model_;
};

// For the table of families.
template <DecoderConfig (*Read)(const Json& config, const std::string& where)>
std::unique_ptr<Learner> learn_text(std::unique_ptr<Checkpoint> checkpoint, const LearnerOptions& options) {
  auto model =
      std::make_unique<TextModel>(*checkpoint, options.load.compute, Read(checkpoint->config(), checkpoint->where()));
  return std::make_unique<TextLearner>(std::move(checkpoint), std::move(model), options);
}

}  // namespace sensorium::models
