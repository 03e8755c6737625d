// The native model's answers while they are written: read_answer()'s text, token by token.
#pragma once

#include <string>
#include <vector>

#include "models/decoder/session.h"
#include "models/sensorium/prompt.h"

namespace sensorium::models {

class SensoriumAnswerStream : public AnswerStream {
 public:
  // `tokenizer` must outlive this object.
  SensoriumAnswerStream(const text::Tokenizer& tokenizer, const SpecialTokens& special)
      : decoder_(tokenizer), location0_(special.location0) {}

  std::string push(int32_t token) override;
  std::string finish() override { return trim_(decoder_.finish()); }

 private:
  text::StreamDecoder decoder_;
  TrimStart trim_;
  int32_t location0_;
  std::vector<int32_t> locations_;  // of a box that has begun, in thousandths
};

}  // namespace sensorium::models
