// Which of the found objects are the evidence for an answer.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "models/sensorium/prompt.h"

namespace sensorium::models {

// The objects of one picture that question and answer speak of, as indices in order. Where the answer is a number, the first
// of these that has just so many: the kinds that are named ("how many helmets"), the kinds that share a word with the
// question ("yellow objects": yellow circle, yellow square), all objects ("people": helmet and head), the one kind of which
// there are so many ("not wearing a helmet": head). A number that none of them has, and an answer without a number, shows
// the named kinds, or those that share a word. Zero shows nothing.
std::vector<size_t> shown_objects(std::string_view question, std::string_view answer,
                                  std::span<const FoundObject> objects);

}  // namespace sensorium::models
