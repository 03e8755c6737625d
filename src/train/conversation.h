// What a lesson says to the decoder, as tokens.
#pragma once

#include <span>
#include <vector>

#include "models/sensorium/prompt.h"
#include "train/lesson.h"

namespace sensorium::train {

// A picture or a recording as the decoder meets it. `tokens` 0: it does not perceive it, only the evidence.
struct View {
  int index = -1;  // as TokenSequence::images counts
  int64_t tokens = 0;
  const modality::SenseKind* sense = nullptr;      // none: a picture
  const modality::PictureKind* picture = nullptr;  // of a picture; none: a photograph
  models::Evidence evidence;
  bool beside_film = false;  // a sound that was recorded with the film before it, over the same time

  bool empty() const { return tokens == 0 && evidence.empty(); }
};

// What stands in a user's turn before its words. A film and the sound behind it are interleaved where the model wants it so.
void show(models::TokenSequence& sequence, std::span<const View> views, const models::PromptWriter& writer);
// Questions and answers about what stands before the first of them; evidence alone is told only if there is some.
models::TokenSequence write_conversation(const std::vector<Exchange>& exchanges, std::span<const View> views,
                                         const models::PromptWriter& writer);
// The turns as they were held: system messages, pictures and recordings stay where they are, the assistant's words are learned.
// `views`: of the pictures and recordings in their order.
models::TokenSequence write_conversation(const std::vector<models::ChatMessage>& turns, std::span<const View> views,
                                         const models::PromptWriter& writer);

}  // namespace sensorium::train
