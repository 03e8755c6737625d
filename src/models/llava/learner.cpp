#include "models/llava/learner.h"

#include <algorithm>

namespace sensorium::models {

DecoderLearner::Parts LlavaLearner::parts_of(LlavaModel& model) {
  return {.store = model.store(),
          .decoder = model.decoder(),
          .map_names = [&model](CheckpointWeights& weights) { model.map_names(weights); },
          .decoder_modules = "model.language_model.",  // since transformers 4.52
          .whole = "projector.",
          .whole_module = "multi_modal_projector"};
}

LlavaLearner::LlavaLearner(std::unique_ptr<Checkpoint> checkpoint, std::unique_ptr<LlavaModel> model,
                           const LearnerOptions& options)
    : DecoderLearner(std::move(checkpoint), parts_of(*model), options), model_(std::move(model)) {
  model_->set_checkpointing(options.checkpointing);
}

LearnedConversation LlavaLearner::prepare(std::span<const ChatMessage> turns, int64_t max_tokens) const {
  LearnedConversation result;
  std::vector<const media::Image*> images;
  for (const ChatMessage& turn : turns) {
    for (const ChatPart& part : turn.parts) {
      require(part.frames.empty(), ErrorKind::unsupported, "training reads pictures, not videos");
      if (part.image) images.push_back(part.image.get());
    }
  }
  const ChatPromptWriter::Written written = model_->prompts().write_with_answers(turns, model_->end_tokens());
  const int32_t picture_id = model_->config().image_token;
  const auto places = static_cast<size_t>(std::ranges::count(written.ids, picture_id));
  require(places == images.size(), ErrorKind::usage, "the chat template ({}) writes {} pictures, {} were given",
          model_->prompts().name(), places, images.size());
  const bool whole = model_->reads_whole(images.size());
  for (size_t i = 0; i < written.ids.size(); ++i) {
    size_t rows = 1;
    if (written.ids[i] == picture_id) {
      const media::Image& image = *images[result.pictures.size()];
      const Tensor pixels = whole ? model_->prepare_whole(image) : model_->prepare(image);
      result.pictures.push_back({pixels, image.width, image.height});
      rows = static_cast<size_t>(model_->picture_rows(pixels.dim(0), image.width, image.height));
    }
    if (static_cast<int64_t>(result.ids.size() + rows) > max_tokens) {
      // A cut through a picture, or before one: what remains is no conversation about these pictures.
      if (rows > 1 || result.pictures.size() != images.size()) return {};
      break;
    }
    result.ids.insert(result.ids.end(), rows, written.ids[i]);
    result.weights.insert(result.weights.end(), rows, written.said[i] != 0 ? 1.0f : 0.0f);
  }
  return result;
}

Tensor LlavaLearner::embed(std::span<const int32_t> ids, std::span<const LearnedConversation> batch) const {
  std::vector<Tensor> pictures;
  for (const LearnedConversation& conversation : batch) {
    for (const LearnedConversation::Picture& picture : conversation.pictures) {
      pictures.push_back(model_->read_views(picture.pixels_N3SS, picture.width, picture.height));
    }
  }
  return model_->embed(ids, pictures.empty() ? Tensor() : ops::concat_rows(pictures));
}

}  // namespace sensorium::models
