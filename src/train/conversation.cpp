#include "train/conversation.h"

#include <algorithm>

namespace sensorium::train {
namespace {

constexpr size_t kFoundAtMost = 10;
constexpr float kBoxWeight = 0.25f;  // of each of a box's four tokens: a box counts as much as a word

}  // namespace

void show(models::TokenSequence& sequence, std::span<const View> views, const models::PromptWriter& writer) {
  for (size_t i = 0; i < views.size(); ++i) {
    const View& view = views[i];
    if (i + 1 < views.size() && views[i + 1].beside_film && writer.interleaves_sound()) {
      const View& sound = views[++i];
      const models::PromptWriter::Place seen{view.index, view.tokens}, heard{sound.index, sound.tokens};
      writer.film_with_sound(sequence, {&seen, 1}, {&heard, 1}, view.evidence, sound.evidence);
      continue;
    }
    if (view.sense != nullptr) {
      writer.recording(sequence, *view.sense, view.index, view.tokens);
    } else {
      writer.picture(sequence, view.picture, view.index, view.tokens);
    }
    writer.evidence(sequence, view.evidence);
  }
}

models::TokenSequence write_conversation(const std::vector<Exchange>& exchanges, std::span<const View> views,
                                         const models::PromptWriter& writer) {
  models::TokenSequence sequence;
  writer.begin(sequence);
  for (size_t i = 0; i < exchanges.size(); ++i) {
    writer.begin_turn(sequence, "user");
    if (i == 0 && !std::ranges::all_of(views, [](const View& view) { return view.empty(); }))
      show(sequence, views, writer);
    writer.text(sequence, exchanges[i].question);
    writer.end_turn(sequence);
    writer.begin_turn(sequence, "assistant");
    if (exchanges[i].find.empty()) {
      writer.text(sequence, exchanges[i].answer, 1.0f);
    } else {
      writer.found(sequence, views.front().evidence, exchanges[i].find, kFoundAtMost, 1.0f, kBoxWeight);
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
    // Neighbours are shown together: a film and its sound may be.
    size_t first = next;
    const auto show_waiting = [&] {
      show(sequence, views.subspan(first, next - first), writer);
      first = next;
    };
    for (const models::ChatPart& part : turn.parts) {
      if (part.image || part.recording) {
        ++next;
        continue;
      }
      show_waiting();
      writer.text(sequence, part.text, weight);
    }
    show_waiting();
    writer.end_turn(sequence, weight);
  }
  return sequence;
}

}  // namespace sensorium::train
