#include "models/sensorium/grounding.h"

namespace sensorium::models {

Grounding::Grounding(const text::Tokenizer& tokenizer, const SpecialTokens& special, const Evidence& evidence)
    : tokenizer_(tokenizer), special_(special), objects_(told_order(evidence.objects)), used_(objects_.size(), false) {}

bool Grounding::is_location(int32_t token) const {
  return token >= special_.location0 && token < special_.location0 + kLocationBins;
}

std::optional<size_t> Grounding::next_object() const {
  // What read_answer would call a box that came now.
  std::vector<int32_t> tokens = words_;
  tokens.insert(tokens.end(), 4, special_.location0);
  const std::string label = read_answer(tokens, tokenizer_, special_).boxes.back().label;
  for (size_t i = 0; i < objects_.size(); ++i) {
    if (!used_[i] && objects_[i].label == label) return i;
  }
  return std::nullopt;
}

void Grounding::accept(int32_t token) {
  if (!is_location(token)) {
    words_.push_back(token);
    remaining_.clear();
    return;
  }
  if (!remaining_.empty()) {
    remaining_.erase(remaining_.begin());
  } else if (const std::optional<size_t> object = next_object()) {
    used_[*object] = true;
    const std::array<int32_t, 4> box = location_tokens(special_, objects_[*object].box);
    remaining_.assign(box.begin() + 1, box.end());
  }
  if (remaining_.empty()) words_.clear();
}

int32_t Grounding::grounded(int32_t token) const {
  if (!remaining_.empty()) return remaining_.front();
  if (!is_location(token)) return token;
  const std::optional<size_t> object = next_object();
  return object ? location_tokens(special_, objects_[*object].box)[0] : special_.end;
}

}  // namespace sensorium::models
