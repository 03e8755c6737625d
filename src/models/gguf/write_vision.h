// Vision tower and projector of a LLaVA model as the second file of a GGUF pair ("mmproj").
#pragma once

#include <string>
#include <vector>

#include "io/gguf.h"
#include "models/checkpoint/checkpoint.h"
#include "models/gguf/written_tensors.h"
#include "models/llava/config.h"

namespace sensorium::models {

class WrittenVision {
 public:
  // Throws Error(unsupported) for what the format cannot express: a family beside llava and llava_next, several states side by
  // side, a class token that is kept, a projector of another activation, a processor that does not normalise.
  static WrittenVision of(const Checkpoint& checkpoint);

  // A tensor under its name in Hugging Face's layout; passes over those that the model does not read. Throws
  // Error(invalid_data) for one that is none of a tower's.
  void add(WrittenTensors& tensors, const std::string& name, const TensorFiles::Entry& entry) const;
  std::vector<std::string> expected() const;  // GGUF's names
  std::vector<io::GgufEntry> metadata() const;

 private:
  LlavaConfig config_;
  std::string model_type_, name_;
  std::vector<float> mean_, stddev_;
  std::vector<int32_t> pinpoints_;  // width, height, width, height, ..
};

}  // namespace sensorium::models
