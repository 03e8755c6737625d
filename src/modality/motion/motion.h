// Motion sensors: accelerometer and gyroscope from a file, and their windows as the native model takes them.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "modality/signal.h"

namespace sensorium::modality {

constexpr int kMotionAxes = 6;  // accelerometer x, y, z in m/s^2 (with gravity), gyroscope x, y, z in rad/s
constexpr double kMotionRateHz = 50;
constexpr double kMotionWindowS = 2;  // longer recordings are read in windows; the last one ends with the recording
constexpr int kMotionChannels = 8;    // the six axes and the lengths of both vectors

// Evenly sampled at kMotionRateHz, without gaps.
struct Motion {
  std::vector<float> values;  // [samples, kMotionAxes]
  int64_t samples() const { return static_cast<int64_t>(values.size()) / kMotionAxes; }
  double seconds() const { return static_cast<double>(samples()) / kMotionRateHz; }
};

// CSV: a line of names, then one sample a line. Columns, in any order, others are left out: acc_x, acc_y, acc_z, gyr_x,
// gyr_y, gyr_z (also accelerometer_x, gyroscope_x, ax, gx ...), and time_s or time_ms; without a time 50 samples a second are
// assumed. Empty cells and NaN are missing: they are filled by interpolation. Throws Error(invalid_data) that names line or
// columns, limit.
Motion parse_motion_csv(std::string_view text);
// .npy [samples, 6] in the order above at 50 Hz, or CSV, told apart by the bytes. Throws Error with the path: also not_found.
Motion load_motion(const std::filesystem::path& path);

// Windows f32 [samples, 6]. Throws Error(invalid_data) for less than half a second.
Recording motion_recording(const Motion& motion);
Recording load_motion_recording(const std::filesystem::path& path);

// One window as a picture [1, samples, kMotionChannels]: acceleration in units of gravity and its length less 1, then the
// rates of turning in units of 3 rad/s and their length. At least 16 samples wide, by repeating the ends.
Signal motion_signal(const Tensor& window_TC);

}  // namespace sensorium::modality
