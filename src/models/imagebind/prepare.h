// What ImageBind's towers read, made of files as the reference's loaders do; docs/embedding.md says what is not theirs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/embedding/embedder.h"
#include "models/imagebind/config.h"

namespace sensorium::models {

// [clips, channels, height, width] (ImagebindTower::input) of any sense but text:
// - image: shorter side to the tower's size (bicubic, as Pillow), the middle, CLIP's mean and deviation; each frame the same
// - video: 5 clips of 2 s, evenly spaced; the first and the last frame of each (the tower's number of frames, evenly spaced);
//   shorter side bilinear without smoothing; 3 crops along the longer side: 15 clips
// - audio: 3 clips of 2 s at 16 kHz of the first channel, evenly spaced (a shorter sound: three times the whole); Kaldi's filter
//   banks, filled up with zeros, then normalised
// - depth: disparity, at most 75 and divided by it, bilinear, the middle, normalised
// - thermal: grey values 0..1, bicubic, the middle
// - imu: the whole recording, resampled in time (linearly) to the tower's number of steps
// Throws Error(invalid_data) with the input's name.
Tensor prepare_imagebind(const EmbedInput& input, const ImagebindTower& tower);

// Where clips of `clip` units begin that stand evenly over `length` units: a sound's samples at `per_second` a second. As the
// reference computes it, in the same floating point numbers and fractions.
std::vector<int64_t> clip_starts(int64_t length, int64_t per_second, int clips, int clip_seconds);

}  // namespace sensorium::models
