#include "train/conversation.h"

namespace sensorium::train {
namespace {

constexpr size_t kFoundAtMost = 10;
constexpr float kBoxWeight = 0.25f;  // of each of a box's four tokens: a box counts as much as a word

void show(models::TokenSequence& sequence, const View& view, const models::PromptWriter& writer) {
  if (view.sense != nullptr) {
    writer.recording(sequence, *view.sense, view.index, view.tokens);
  } else {
    writer.picture(sequence, view.picture, view.index, view.tokens);
  }
  writer.evidence(sequence, view.evidence);
}

}  // namespace

models::TokenSequence write_conversation(const std::vector<Exchange>& exchanges, const View& view,
                                         const models::PromptWriter& writer) {
  models::TokenSequence sequence;
  writer.begin(sequence);
  for (size_t i = 0; i < exchanges.size(); ++i) {
    writer.begin_turn(sequence, "user");
    if (i == 0 && (view.tokens > 0 || !view.evidence.empty())) show(sequence, view, writer);
    writer.text(sequence, exchanges[i].question);
    writer.end_turn(sequence);
    writer.begin_turn(sequence, "assistant");
    if (exchanges[i].find.empty()) {
      writer.text(sequence, exchanges[i].answer, 1.0f);
    } else {
      writer.found(sequence, view.evidence, exchanges[i].find, kFoundAtMost, 1.0f, kBoxWeight);
    }
    writer.end_turn(sequence, 1.0f);
  }
  return sequence;
}

models::TokenSequence write_conversation(const std::vector<models::ChatMessage>& turns, std::span<const View> views,
                                         const models::PromptWriter& writer) {
  models::TokenSequence sequence;
  writer.begin(sequence);
  size_t next = 0;
  for (const models::ChatMessage& turn : turns) {
    const float weight = turn.role == "assistant" ? 1.0f : 0.0f;
    writer.begin_turn(sequence, turn.role);
    for (const models::ChatPart& part : turn.parts) {
      if (part.image || part.recording) {
        show(sequence, views[next++], writer);
      } else {
        writer.text(sequence, part.text, weight);
      }
    }
    writer.end_turn(sequence, weight);
  }
  return sequence;
}

}  // namespace sensorium::train
