// Random changes of a training recording that keep its meaning.
#pragma once

#include <string_view>

#include "base/rng.h"
#include "modality/senses.h"

namespace sensorium::train {

// Policies: "sound" (noises and animals), "speech" (words are not cut off), "motion"; "none" fits every sense.
bool is_recording_policy(std::string_view name);

// The window [steps, features] changed in place of time, and as its sense allows: sounds in pitch, level, noise and parts
// that are masked; motion turned as a sensor that sits differently, stretched, with noise. Throws Error(usage) for a policy
// that is not one of the sense's, naming those.
Tensor augment_recording(const Tensor& window_TC, const modality::SenseKind& sense, std::string_view policy, Rng& rng);

}  // namespace sensorium::train
