#include "models/model.h"

namespace sensorium::models {

void require_no_recording(const ChatPart& part) {
  require(!part.recording, ErrorKind::unsupported, "this model has no sense of {}, it was given {}",
          part.recording ? part.recording->sense->faculty : "", part.recording ? part.recording->sense->input : "");
}

std::vector<float> Model::classify_part(const ChatPart& part, std::span<const std::string> labels) const {
  require_no_recording(part);
  require(part.image != nullptr, ErrorKind::usage, "only pictures and recordings have a class");
  return classify(*part.image, labels);
}

}  // namespace sensorium::models
