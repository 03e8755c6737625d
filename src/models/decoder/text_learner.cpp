#include "models/decoder/text_learner.h"

#include <algorithm>

namespace sensorium::models {

DecoderLearner::Parts TextLearner::parts_of(TextModel& model) {
  return {.store = model.store(),
          .decoder = model.decoder(),
          .map_names = TextModel::map_names,
          .decoder_modules = "model."};
}

TextLearner::TextLearner(std::unique_ptr<Checkpoint> checkpoint, std::unique_ptr<TextModel> model,
                         const LearnerOptions& options)
    : DecoderLearner(std::move(checkpoint), parts_of(*model), options), model_(std::move(model)) {
  model_->decoder().set_checkpointing(options.checkpointing);
}

LearnedConversation TextLearner::prepare(std::span<const ChatMessage> turns, int64_t max_tokens) const {
  ChatPromptWriter::Written written = model_->prompts().write_with_answers(turns, model_->end_tokens());
  const size_t length = std::min(written.ids.size(), static_cast<size_t>(max_tokens));
  written.ids.resize(length);
  return {.ids = std::move(written.ids),
          .weights = {written.said.begin(), written.said.begin() + static_cast<int64_t>(length)},
          .pictures = {}};
}

Tensor TextLearner::embed(std::span<const int32_t> ids, std::span<const LearnedConversation> /*batch*/) const {
  return model_->decoder().embed(Tensor::from(ids, {static_cast<int64_t>(ids.size())}), model_->compute());
}

}  // namespace sensorium::models
