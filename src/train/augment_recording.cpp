// Legend: T steps of time, C features: bands of a sound, axes of motion.
#include "train/augment_recording.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "base/error.h"
#include "modality/motion/motion.h"
#include "modality/video/video.h"
#include "train/augment.h"

namespace sensorium::train {
namespace {

struct RecordingPolicy {
  std::string_view name, sense;  // sense "": every one
  double keep_low;               // the least share of the length that is kept
  double pad;                    // share of the length by which silence or stillness may be added at each end
  double stretch;                // time by up to 1 +- stretch
  double pitch_bands;            // of sounds: up or down
  double gain;                   // of sounds: nats of energy up or down; of motion: factor 1 +- gain
  double noise;                  // probability of noise
  int masks;                     // of time and of bands, each
  double turn_degrees;           // of motion: about a random axis
  Tensor (*change)(const Tensor& window, const RecordingPolicy& policy, Rng& rng);  // none: it stays as it is
};
Tensor change_sound(const Tensor& log_mel_TC, const RecordingPolicy& policy, Rng& rng);
Tensor change_motion(const Tensor& recorded_TC, const RecordingPolicy& policy, Rng& rng);
Tensor change_film(const Tensor& window_THW3, const RecordingPolicy& policy, Rng& rng);

// clang-format off
constexpr std::array<RecordingPolicy, 5> kPolicies = {{
    {.name = "sound", .sense = "audio", .keep_low = 0.4, .pad = 0.1, .stretch = 0.2, .pitch_bands = 3, .gain = 2.5, .noise = 0.5,
     .masks = 2, .turn_degrees = 0, .change = change_sound},
    {.name = "speech", .sense = "audio", .keep_low = 0.95, .pad = 0.15, .stretch = 0.2, .pitch_bands = 3, .gain = 2.5, .noise = 0.5,
     .masks = 2, .turn_degrees = 0, .change = change_sound},
    {.name = "motion", .sense = "imu", .keep_low = 0.85, .pad = 0, .stretch = 0.15, .pitch_bands = 0, .gain = 0.1, .noise = 0.5,
     .masks = 0, .turn_degrees = 20, .change = change_motion},
    {.name = "film", .sense = "video", .keep_low = 0.75, .pad = 0.1, .stretch = 0.2, .pitch_bands = 0, .gain = 0, .noise = 0,
     .masks = 0, .turn_degrees = 0, .change = change_film},
    {.name = "none", .sense = "", .keep_low = 1, .pad = 0, .stretch = 0, .pitch_bands = 0, .gain = 0, .noise = 0, .masks = 0,
     .turn_degrees = 0, .change = nullptr},
}};
// clang-format on

constexpr double kMaskedTime = 0.15, kMaskedBands = 0.15;  // of the length, of the bands: the most of one mask
constexpr float kSilence = -15.9f;                         // ln of the least energy that log-mel frames hold

const RecordingPolicy& find_policy(std::string_view name, const modality::SenseKind& sense) {
  std::vector<std::string_view> fitting;
  for (const RecordingPolicy& policy : kPolicies) {
    if (!policy.sense.empty() && policy.sense != sense.name) continue;
    if (policy.name == name) return policy;
    fitting.push_back(policy.name);
  }
  fail(ErrorKind::usage, "the augmentation \"{}\" is not for {}: {}", name, sense.input, fmt::join(fitting, ", "));
}

// Steps first, first + step, ... of the window, between its own by interpolation, the ends beyond it repeated.
Tensor resample_time(const Tensor& window_TC, double first, double step, int64_t count) {
  const int64_t steps = window_TC.dim(0), features = window_TC.dim(1);
  const Tensor result_TC = Tensor::empty({count, features});
  const float* in = window_TC.data<float>();
  float* out = result_TC.data<float>();
  for (int64_t t = 0; t < count; ++t) {
    const double at = std::clamp(first + step * static_cast<double>(t), 0.0, static_cast<double>(steps - 1));
    const auto low = static_cast<int64_t>(at);
    const int64_t high = std::min(low + 1, steps - 1);
    const auto part = static_cast<float>(at - static_cast<double>(low));
    for (int64_t c = 0; c < features; ++c)
      out[t * features + c] = in[low * features + c] + part * (in[high * features + c] - in[low * features + c]);
  }
  return result_TC;
}

// A part of the window, faster or slower, with its ends held for a while: steps first, first + step, ...
struct ChangedTime {
  double first, step;
  int64_t count;
};
ChangedTime change_time(const Tensor& window, const RecordingPolicy& policy, Rng& rng) {
  const auto steps = static_cast<double>(window.dim(0));
  const double keep = rng.uniform(policy.keep_low, 1), where = rng.uniform();
  const double speed = std::exp(rng.uniform(-1, 1) * std::log1p(policy.stretch));
  const double before = rng.uniform(0, policy.pad) * steps, behind = rng.uniform(0, policy.pad) * steps;
  const double first = (1 - keep) * steps * where;
  const auto count = std::max<int64_t>(8, std::llround(keep * steps / speed + before + behind));
  return {first - before * speed, speed, count};
}
Tensor with_changed_time(const Tensor& window_TC, const RecordingPolicy& policy, Rng& rng) {
  const ChangedTime time = change_time(window_TC, policy, rng);
  return resample_time(window_TC, time.first, time.step, time.count);
}

void shift_pitch(const Tensor& mel_TC, double by) {
  const int64_t frames = mel_TC.dim(0), bands = mel_TC.dim(1);
  std::vector<float> row(static_cast<size_t>(bands));
  for (int64_t t = 0; t < frames; ++t) {
    float* mel = mel_TC.data<float>() + t * bands;
    std::copy(mel, mel + bands, row.begin());
    for (int64_t band = 0; band < bands; ++band) {
      const double at = std::clamp(static_cast<double>(band) - by, 0.0, static_cast<double>(bands - 1));
      const auto low = static_cast<size_t>(at);
      const size_t high = std::min(low + 1, row.size() - 1);
      mel[band] = row[low] + static_cast<float>(at - static_cast<double>(low)) * (row[high] - row[low]);
    }
  }
}

// Steady noise of a random colour under the sound: energies add.
void add_noise(const Tensor& mel_TC, double level, double tilt, Rng& rng) {
  const int64_t frames = mel_TC.dim(0), bands = mel_TC.dim(1);
  for (int64_t t = 0; t < frames; ++t) {
    float* mel = mel_TC.data<float>() + t * bands;
    for (int64_t band = 0; band < bands; ++band) {
      const double place = static_cast<double>(band) / static_cast<double>(bands) - 0.5;
      const auto noise = static_cast<float>(level + tilt * place + 0.5 * rng.normal());
      const float louder = std::max(mel[band], noise);
      mel[band] = louder + std::log1p(std::exp(std::min(mel[band], noise) - louder));
    }
  }
}

void mask(const Tensor& mel_TC, float value, int count, Rng& rng) {
  const int64_t frames = mel_TC.dim(0), bands = mel_TC.dim(1);
  float* mel = mel_TC.data<float>();
  for (int i = 0; i < count; ++i) {
    const auto span = [&](int64_t side, double most) {
      const auto length = static_cast<int64_t>(rng.uniform(0, most) * static_cast<double>(side));
      const auto begin = static_cast<int64_t>(rng.uniform() * static_cast<double>(side - length));
      return std::pair(begin, begin + length);
    };
    const auto [from, to] = span(frames, kMaskedTime);
    std::fill(mel + from * bands, mel + to * bands, value);
    const auto [low, high] = span(bands, kMaskedBands);
    for (int64_t t = 0; t < frames; ++t) std::fill(mel + t * bands + low, mel + t * bands + high, value);
  }
}

Tensor change_sound(const Tensor& log_mel_TC, const RecordingPolicy& policy, Rng& rng) {
  Tensor mel_TC = with_changed_time(log_mel_TC, policy, rng);
  shift_pitch(mel_TC, rng.uniform(-1, 1) * policy.pitch_bands);
  const auto gain = static_cast<float>(rng.uniform(-1, 1) * policy.gain);
  double sum = 0;
  for (float& level : mel_TC.span<float>()) {
    level = std::max(level + gain, kSilence);
    sum += level;
  }
  const double mean = sum / static_cast<double>(mel_TC.elements());
  // From far below the sound to its own mean.
  const double noise = rng.uniform(mean - 6, mean + 0.5), tilt = rng.uniform(-3, 3);
  if (rng.chance(policy.noise)) add_noise(mel_TC, noise, tilt, rng);
  mask(mel_TC, static_cast<float>(mean), policy.masks, rng);
  return mel_TC;
}

// Both sensors turn together about a random axis (Rodrigues' formula).
Tensor change_motion(const Tensor& recorded_TC, const RecordingPolicy& policy, Rng& rng) {
  Tensor window_TC = with_changed_time(recorded_TC, policy, rng);
  std::array<double, 3> axis{};
  double length = 0;
  for (double& a : axis) {
    a = rng.normal();
    length += a * a;
  }
  for (double& a : axis) a /= std::sqrt(std::max(length, 1e-12));
  const double angle = rng.uniform(-1, 1) * policy.turn_degrees * std::numbers::pi / 180;
  const double c = std::cos(angle), s = std::sin(angle);
  const double gain = 1 + rng.uniform(-1, 1) * policy.gain;
  const bool noisy = rng.chance(policy.noise);
  for (int64_t t = 0; t < window_TC.dim(0); ++t) {
    for (int sensor = 0; sensor < 2; ++sensor) {
      float* v = window_TC.data<float>() + t * modality::kMotionAxes + 3L * sensor;
      const double dot = axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2];
      const std::array<double, 3> cross = {axis[1] * v[2] - axis[2] * v[1], axis[2] * v[0] - axis[0] * v[2],
                                           axis[0] * v[1] - axis[1] * v[0]};
      const double deviation = sensor == 0 ? 0.1 : 0.03;  // m/s^2 and rad/s: a poor sensor
      for (size_t i = 0; i < 3; ++i) {
        const double turned = v[i] * c + cross[i] * s + axis[i] * dot * (1 - c);
        v[i] = static_cast<float>(gain * turned + (noisy ? deviation * rng.normal() : 0));
      }
    }
  }
  return window_TC;
}

// The nearest frames in place of time, as many as before; each goes through the same change of pictures.
Tensor change_film(const Tensor& window_THW3, const RecordingPolicy& policy, Rng& rng) {
  const std::vector<media::Image> frames = modality::frames_of(window_THW3);
  const ChangedTime time = change_time(window_THW3, policy, rng);
  const Rng same = rng;
  std::vector<media::Image> changed;
  for (size_t t = 0; t < frames.size(); ++t) {
    const double at = time.first + time.step * static_cast<double>(t);
    const auto nearest = std::clamp<int64_t>(std::llround(at), 0, static_cast<int64_t>(frames.size()) - 1);
    rng = same;
    changed.push_back(augment(frames[static_cast<size_t>(nearest)], {}, augment_policy(std::string(policy.name)),
                              modality::kFramePrepare, rng)
                          .image);
  }
  return modality::window_of_frames(changed);
}

}  // namespace

bool is_recording_policy(std::string_view name) {
  return std::any_of(kPolicies.begin(), kPolicies.end(), [&](const RecordingPolicy& p) { return p.name == name; });
}

Tensor augment_recording(const Tensor& window, const modality::SenseKind& sense, std::string_view policy, Rng& rng) {
  const RecordingPolicy& found = find_policy(policy, sense);
  return found.change == nullptr ? window : found.change(window, found, rng);
}

}  // namespace sensorium::train
