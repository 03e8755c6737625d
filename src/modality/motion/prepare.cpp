// Legend: T samples, C axes.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "modality/motion/motion.h"
#include "modality/senses.h"

namespace sensorium::modality {
namespace {

constexpr double kShortestS = 0.5;
constexpr int kLeastSamples = 16;  // one position of an encoder that takes a sixteenth of the side
constexpr float kGravity = 9.81f, kTurning = 3;

}  // namespace

Recording motion_recording(const Motion& motion) {
  require(motion.seconds() >= kShortestS, ErrorKind::invalid_data,
          "a recording of {} samples at {} Hz; at least {} s are needed", motion.samples(), kMotionRateHz, kShortestS);
  Recording recording{.sense = &sense_kind("imu"), .windows = {}, .seconds = motion.seconds()};
  const int64_t samples = motion.samples();
  const int64_t length = std::min(samples, static_cast<int64_t>(kMotionWindowS * kMotionRateHz));
  WindowSampler sampler;
  for (int64_t begin = 0; begin < samples; begin += length) {
    const int64_t first = std::min(begin, samples - length);
    sampler.add([&] {
      return Tensor::from(
          std::span(motion.values)
              .subspan(static_cast<size_t>(first * kMotionAxes), static_cast<size_t>(length * kMotionAxes)),
          {length, kMotionAxes});
    });
  }
  recording.windows = sampler.take();
  return recording;
}

Recording load_motion_recording(const std::filesystem::path& path) {
  const Motion motion = load_motion(path);
  try {
    return motion_recording(motion);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

Signal motion_signal(const Tensor& window_TC) {
  const auto samples = static_cast<int>(window_TC.dim(0));
  const float* values = window_TC.data<float>();
  Signal signal(1, std::max(samples, kLeastSamples), kMotionChannels);
  for (int x = 0; x < signal.width; ++x) {
    const int t = std::clamp(x - (signal.width - samples) / 2, 0, samples - 1);
    const float* now = values + t * kMotionAxes;
    float lengths[2] = {};
    for (int sensor = 0; sensor < 2; ++sensor) {
      for (int axis = 0; axis < 3; ++axis) {
        const float value = now[3 * sensor + axis] / (sensor == 0 ? kGravity : kTurning);
        signal.at(0, x, 4 * sensor + axis) = value;
        lengths[sensor] += value * value;
      }
    }
    signal.at(0, x, 3) = std::sqrt(lengths[0]) - 1;
    signal.at(0, x, 7) = std::sqrt(lengths[1]);
  }
  return signal;
}

}  // namespace sensorium::modality
