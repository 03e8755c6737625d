// The tiny model with both senses, and recordings for it.
#pragma once

#include <cmath>
#include <numbers>

#include "modality/audio/prepare.h"
#include "modality/motion/motion.h"
#include "models/tiny_model.h"

namespace sensorium::models {

inline SensoriumConfig tiny_senses_config() {
  SensoriumConfig config = tiny_config();
  for (const modality::SenseKind& kind : modality::sense_kinds()) {
    SenseConfig sense{.kind = &kind, .encoder = config.image, .merge = 2, .query_dim = 8, .labels = {}};
    sense.encoder.channels = kind.channels;
    sense.labels = {"cat", "dog", "red"};
    config.senses.push_back(sense);
  }
  return config;
}

// `frames` of 10 ms with the energy in one band, and a little noise.
inline modality::Recording tiny_sound(uint64_t seed, int64_t band, int64_t frames = 64) {
  Rng rng(seed);
  Tensor mel_TC = Tensor::randn({frames, modality::kSoundBands}, rng, 0.5f);
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t c = 0; c < modality::kSoundBands; ++c)
      mel_TC.data<float>()[t * modality::kSoundBands + c] += std::abs(c - band) < 3 ? 2.0f : -10.0f;
  }
  return {&modality::sense_kind("audio"), {mel_TC}, 0.01 * static_cast<double>(frames)};
}

// A shaking of `hz` along one axis.
inline modality::Recording tiny_motion(uint64_t seed, double hz, int64_t samples = 100) {
  Rng rng(seed);
  Tensor window_TC = Tensor::randn({samples, modality::kMotionAxes}, rng, 0.1f);
  for (int64_t t = 0; t < samples; ++t) {
    const double phase = 2 * std::numbers::pi * hz * static_cast<double>(t) / modality::kMotionRateHz;
    window_TC.data<float>()[t * modality::kMotionAxes] += static_cast<float>(5 * std::sin(phase));
    window_TC.data<float>()[t * modality::kMotionAxes + 2] += 9.81f;
  }
  return {&modality::sense_kind("imu"), {window_TC}, static_cast<double>(samples) / modality::kMotionRateHz};
}

}  // namespace sensorium::models
