#include "server/scheduling/media_note.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sensorium::server {
namespace {

bool is_media(const models::ChatPart& part) { return part.image || !part.frames.empty() || part.recording; }

}  // namespace

void add_media_note(std::vector<models::ChatMessage>& messages) {
  const auto has_media = [](const models::ChatMessage& message) {
    return std::ranges::any_of(message.parts, is_media);
  };
  if (std::ranges::none_of(messages, has_media)) return;
  if (messages.front().role == "system") {
    std::vector<models::ChatPart>& parts = messages.front().parts;
    parts.push_back({.text = (parts.empty() ? "" : "\n") + std::string(kMediaNote)});
    return;
  }
  for (models::ChatMessage& message : messages) {
    if (!has_media(message)) continue;
    const auto last = std::find_if(message.parts.rbegin(), message.parts.rend(), is_media);
    models::ChatPart note;
    note.text = fmt::format("{}\n", kMediaNote);
    message.parts.insert(last.base(), std::move(note));
  }
}

}  // namespace sensorium::server
