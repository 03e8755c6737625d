#include "models/model.h"

namespace sensorium::models {

void require_no_recording(const ChatPart& part) {
  require(!part.recording, ErrorKind::unsupported, "this model has no sense of {}, it was given {}",
          part.recording ? part.recording->sense->faculty : "", part.recording ? part.recording->sense->input : "");
}

std::vector<int32_t> Model::encode_prompt(std::string_view prompt) const {
  std::vector<int32_t> ids = tokenizer().encode(prompt, {.specials = text::Specials::parse});
  text::prepend_leading_ids(tokenizer(), ids);
  return ids;
}

std::unique_ptr<ChatSession> Model::begin_tokens(std::span<const int32_t> /*ids*/) const {
  fail(ErrorKind::unsupported, "this model goes on with no text");
}

std::vector<float> Model::classify_part(const ChatPart& part, std::span<const std::string> labels) const {
  require_no_recording(part);
  require(part.image != nullptr, ErrorKind::usage, "only pictures and recordings have a class");
  return classify(*part.image, labels);
}

}  // namespace sensorium::models
