// Files as inputs of an embedder.
#pragma once

#include <filesystem>
#include <optional>

#include "models/embedding/embedder.h"

namespace sensorium::models {

// What turns a depth camera's numbers into disparity: baseline times focal length over distance.
struct DepthCamera {
  double focal_px = 0, baseline_m = 0;  // of the pair of cameras, or of projector and camera
  double units_per_m = 1000;            // of the file's numbers; .npy: 1
  int rotated_bits = 0;                 // SUN RGB-D stores 16 bits rotated left by 3

  // Keys "focal_px", "baseline_m", "units_per_m", "rotated_bits". Throws Error with the path.
  static DepthCamera read(const std::filesystem::path& path);
};

// What a file shows by the end of its name; none if that says nothing certain (.npy, .csv).
std::optional<InputSense> sense_of_file(const std::filesystem::path& path);

// - text: the file's words; image, thermal: JPEG, PNG, WebP; audio, video: whatever ffmpeg reads
// - depth: a grey PNG of 16 bits, or .npy [H, W] in metres; 0 is nothing measured. `camera`, else camera.json beside the file, says
//   how it was taken; distances count within 0.01..50 m
// - imu: .csv of 6 columns (acceleration x y z, rotation x y z; a first line of names is passed over) or .npy, [6, steps] or
//   [steps, 6]
// Throws Error with the path.
EmbedInput load_input(const std::filesystem::path& path, InputSense sense,
                      const std::optional<DepthCamera>& camera = std::nullopt);

}  // namespace sensorium::models
