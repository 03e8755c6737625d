#include "train/dialogue.h"

#include <array>

namespace sensorium::train {
namespace {

constexpr std::array kDescribe = {"Describe the picture.", "What does the picture show?", "Write a caption."};

models::ChatMessage turn(const char* role, const std::string& text) {
  return {.role = role, .parts = {{.text = text, .image = nullptr, .frames = {}}}};
}

}  // namespace

std::vector<models::ChatMessage> dialogue_of(const Lesson& lesson, Rng& rng) {
  if (!lesson.turns.empty()) return lesson.turns;
  std::vector<models::ChatMessage> turns;
  for (const std::string& caption : lesson.captions) {
    turns.push_back(turn("user", rng.pick(kDescribe)));
    turns.push_back(turn("assistant", caption));
  }
  for (const Exchange& exchange : lesson.exchanges) {
    turns.push_back(turn("user", exchange.question));
    turns.push_back(turn("assistant", exchange.answer));
  }
  require(!turns.empty(), ErrorKind::usage,
          "{}: has no conversation, question or caption, which are what this model learns from", lesson.where);
  if (lesson.recording) {
    turns[0].parts.insert(turns[0].parts.begin(),
                          {.text = "", .image = nullptr, .frames = {}, .recording = lesson.recording});
  }
  if (lesson.image) {
    turns[0].parts.insert(turns[0].parts.begin(),
                          {.text = "", .image = lesson.image, .picture = lesson.picture, .frames = {}});
  }
  return turns;
}

}  // namespace sensorium::train
