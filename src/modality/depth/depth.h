// Depth pictures: how far each pixel is, from a file, as the native model takes it, and what can be read off it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "modality/senses.h"

namespace sensorium::modality {

constexpr int64_t kDepthPixels = 160 * 120;  // larger pictures are reduced to this budget
constexpr double kFarthestM = 100;           // beyond it a value is taken for none
constexpr int kDepthChannels = 5;

// Distances in metres along the camera's axis; 0: nothing was measured.
struct DepthPicture {
  int width = 0, height = 0;
  std::vector<float> metres;  // [height, width]
  float at(int x, int y) const {
    return metres[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
  }
};

// A grey PNG of 16 bits, in millimetres unless options.depth_unit_m says otherwise, or .npy [height, width] in metres unless it
// does. NaN, negative values and those beyond kFarthestM are none. Throws Error with the path: not_found, invalid_data (an array of
// another shape, a picture of 8 bits, not one distance), limit.
DepthPicture load_depth(const std::filesystem::path& path, const RecordingOptions& options);

// Fewer pixels: each the mean of the measured ones that it covers.
DepthPicture reduce(const DepthPicture& depth, int64_t max_pixels);

// Medians of the measured distances over a grid of `rows` x `columns` equal cells, row by row; NaN: nothing in it was measured.
std::vector<float> cell_medians(const DepthPicture& depth, int rows, int columns);

// One window f32 [height, width] of metres, reduced, and what the full picture measures: "centre 1.4 m" (the median of a square in
// the middle, a tenth of the shorter side long), "nearest bottom right" (the cell of a 3 x 3 grid with the least median).
Recording depth_recording(const DepthPicture& depth);
Recording load_depth_recording(const std::filesystem::path& path, const RecordingOptions& options);

// A window as a picture [height, width, kDepthChannels]: the logarithm of the distance; the distance between the nearest (-1) and
// the farthest (1) of this picture; whether it was measured (1 or -1); the place across and down, -1..1.
Signal depth_signal(const Tensor& window_HW);

}  // namespace sensorium::modality
