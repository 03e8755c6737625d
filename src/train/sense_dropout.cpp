#include "train/sense_dropout.h"

#include <iterator>
#include <set>
#include <string>

namespace sensorium::train {
namespace {

// "": the part is a text.
std::string sense_of(const models::ChatPart& part) {
  if (part.recording) return std::string(part.recording->sense->name);
  if (!part.image) return "";
  return part.picture != nullptr ? std::string(part.picture->name) : "image";
}

}  // namespace

Lesson without_some_senses(Lesson lesson, double probability, Rng& rng) {
  if (probability <= 0) return lesson;
  if (lesson.sound && rng.chance(probability)) lesson.sound = nullptr;
  std::set<std::string> senses;
  for (const models::ChatMessage& turn : lesson.turns) {
    for (const models::ChatPart& part : turn.parts) senses.insert(sense_of(part));
  }
  senses.erase("");
  if (senses.size() < 2) return lesson;
  std::set<std::string> dropped;
  for (const std::string& sense : senses) {
    if (rng.chance(probability)) dropped.insert(sense);
  }
  if (dropped.size() == senses.size())
    dropped.erase(std::next(dropped.begin(), static_cast<int64_t>(rng.below(senses.size()))));
  for (models::ChatMessage& turn : lesson.turns)
    std::erase_if(turn.parts, [&](const models::ChatPart& part) { return dropped.contains(sense_of(part)); });
  return lesson;
}

}  // namespace sensorium::train
