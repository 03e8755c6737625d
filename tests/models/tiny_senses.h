// The tiny model with all senses, and recordings for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modality/audio/prepare.h"
#include "modality/depth/depth.h"
#include "modality/motion/motion.h"
#include "modality/video/encoder.h"
#include "modality/video/video.h"
#include "models/tiny_model.h"

namespace sensorium::models {

inline SensoriumConfig tiny_senses_config() {
  SensoriumConfig config = tiny_config();
  for (const modality::SenseKind& kind : modality::sense_kinds()) {
    modality::ImageEncoderConfig pictures = config.image;
    pictures.channels = kind.channels;
    const bool film = kind.load_frames != nullptr;
    config.senses.push_back({.kind = &kind,
                             .encoder = film ? modality::video_signal_encoder(
                                                   {.cells = 2, .dim = 16, .layers = 1, .heads = 2, .mlp_width = 24})
                                             : modality::picture_signal_encoder(pictures),
                             .merge = 2,
                             .query_dim = 8,
                             .labels = {"cat", "dog", "red"}});
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

// A bright square on a grey ground that moves so many pixels from frame to frame.
inline modality::Recording tiny_film(uint64_t seed, int speed, int frames = 8, int side = 64) {
  Rng rng(seed);
  const auto ground = static_cast<uint8_t>(60 + rng.below(40));
  const int left = static_cast<int>(rng.below(8)), top = static_cast<int>(rng.below(static_cast<uint64_t>(side) / 2));
  std::vector<media::Image> film;
  for (int t = 0; t < frames; ++t) {
    media::Image& frame = film.emplace_back(side, side, 3, ground);
    for (int y = top; y < std::min(top + 16, side); ++y) {
      for (int x = left + speed * t; x < std::min(left + speed * t + 16, side); ++x)
        std::fill_n(frame.at(x, y), 3, 230);
    }
  }
  return modality::film_recording(std::move(film), frames / modality::kFilmRateHz);
}

// A wall `metres` away.
inline modality::Recording tiny_room(float metres) {
  return modality::depth_recording({40, 30, std::vector<float>(1200, metres)});
}

}  // namespace sensorium::models
