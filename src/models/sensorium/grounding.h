// Boxes in an answer are boxes that the detector found: the decoder says which kind and when, the evidence says where.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/sensorium/prompt.h"

namespace sensorium::models {

// Follows an answer token by token. A box that begins after the name of a kind of object becomes the box of the next object
// of that kind, in the order in which the evidence is told; without one left, the answer ends.
class Grounding {
 public:
  // `tokenizer` must outlive this object.
  Grounding(const text::Tokenizer& tokenizer, const SpecialTokens& special, const Evidence& evidence);

  void accept(int32_t token);
  // The token to say where the decoder chose `token`.
  int32_t grounded(int32_t token) const;

 private:
  // The next object of the kind that the words since the last box name.
  std::optional<size_t> next_object() const;
  bool is_location(int32_t token) const;

  const text::Tokenizer& tokenizer_;
  SpecialTokens special_;
  std::vector<FoundObject> objects_;  // in the order of the evidence
  std::vector<bool> used_;
  std::vector<int32_t> words_;      // since the last box
  std::vector<int32_t> remaining_;  // of a box that has begun
};

}  // namespace sensorium::models
