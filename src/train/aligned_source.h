// The synthetic world's aligned scenes as lessons, of every sense in turn or of several at once.
#pragma once

#include <memory>

#include "train/lesson_source.h"

namespace sensorium::train {

// The name under which recipes ask for it: {world: senses}.
constexpr std::string_view kAlignedWorld = "senses";

// {world: together}: a lesson a scene, a conversation about what it holds that any one of picture, thermal picture, depth and sound
// answers, or about its film with sound.
constexpr std::string_view kTogetherWorld = "together";

// Of "senses", lesson 6 s + k shows scene s to sense k: picture, thermal, depth, sound, film, motion of the camera. `lessons`: how many there are.
std::unique_ptr<LessonSource> open_aligned_source(const SetRecipe& set, uint64_t seed, int64_t lessons);

}  // namespace sensorium::train
