#include "models/sensorium/answer_stream.h"

namespace sensorium::models {

std::string SensoriumAnswerStream::push(int32_t token) {
  const int32_t bin = token - location0_;
  if (bin < 0 || bin >= kLocationBins) {
    locations_.clear();
    return trim_(decoder_.push(token));
  }
  locations_.push_back(bin);
  if (locations_.size() < 4) return {};
  // A character that a box interrupts is none.
  const std::string text = decoder_.finish() + box_text(locations_);
  locations_.clear();
  return trim_(text);
}

}  // namespace sensorium::models
