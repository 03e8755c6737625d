// Random changes of a training recording that keep its meaning.
#pragma once

#include <string_view>

#include "base/rng.h"
#include "modality/senses.h"

namespace sensorium::train {

// Policies: "sound" (noises and animals), "speech" (words are not cut off), "motion", "film"; "none" fits every sense.
bool is_recording_policy(std::string_view name);

// The window changed in place of time, and as its sense allows: sounds in pitch, level, noise and parts
// that are masked; motion turned as a sensor that sits differently, stretched, with noise; the frames of a film all in the same
// way, as pictures are (augment.h). Throws Error(usage) for a policy
// that is not one of the sense's, naming those.
Tensor augment_recording(const Tensor& window, const modality::SenseKind& sense, std::string_view policy, Rng& rng);

}  // namespace sensorium::train
