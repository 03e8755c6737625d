#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "modality/depth/depth.h"

namespace sensorium::modality {
namespace {

constexpr int kGrid = 3;
constexpr int kCentreShare = 20;  // the centre is a square that reaches so much of the shorter side to each side
constexpr std::array<std::array<std::string_view, kGrid>, kGrid> kCells = {
    {{"top left", "top centre", "top right"},
     {"middle left", "centre", "middle right"},
     {"bottom left", "bottom centre", "bottom right"}}};
constexpr float kMiddleLog = 0.7f, kHalfSpanLog = 1.5f;  // ln of 2 m; of 0.45 to 9 m
constexpr int kLeastSide = 16;  // one position of an encoder that takes a sixteenth of the side

float median(std::vector<float>& values) {
  if (values.empty()) return std::numeric_limits<float>::quiet_NaN();
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Of what was measured in the rectangle; NaN: nothing.
float median_of(const DepthPicture& depth, int x0, int y0, int x1, int y1) {
  std::vector<float> values;
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x) {
      if (depth.at(x, y) > 0) values.push_back(depth.at(x, y));
    }
  }
  return median(values);
}

// What can be read off without a model.
std::vector<std::string> measure(const DepthPicture& depth) {
  std::vector<std::string> facts;
  const int half = std::max(1, std::min(depth.width, depth.height) / kCentreShare);
  const int x = depth.width / 2, y = depth.height / 2;
  const float centre = median_of(depth, std::max(0, x - half), std::max(0, y - half), std::min(depth.width, x + half),
                                 std::min(depth.height, y + half));
  if (!std::isnan(centre)) facts.push_back(fmt::format("centre {:.1f} m", centre));
  const std::vector<float> cells = cell_medians(depth, kGrid, kGrid);
  size_t nearest = cells.size();
  for (size_t i = 0; i < cells.size(); ++i) {
    if (!std::isnan(cells[i]) && (nearest == cells.size() || cells[i] < cells[nearest])) nearest = i;
  }
  if (nearest < cells.size()) facts.push_back(fmt::format("nearest {}", kCells[nearest / kGrid][nearest % kGrid]));
  return facts;
}

}  // namespace

DepthPicture reduce(const DepthPicture& depth, int64_t max_pixels) {
  const double pixels = static_cast<double>(depth.width) * depth.height;
  const double scale = std::min(1.0, std::sqrt(static_cast<double>(max_pixels) / pixels));
  const auto side = [&](int length) { return std::max(1, static_cast<int>(length * scale)); };
  DepthPicture small{side(depth.width), side(depth.height), {}};
  small.metres.resize(static_cast<size_t>(small.width) * static_cast<size_t>(small.height));
  for (int y = 0; y < small.height; ++y) {
    const int top = y * depth.height / small.height, bottom = std::max(top + 1, (y + 1) * depth.height / small.height);
    for (int x = 0; x < small.width; ++x) {
      const int left = x * depth.width / small.width, right = std::max(left + 1, (x + 1) * depth.width / small.width);
      double sum = 0;
      int measured = 0;
      for (int v = top; v < bottom; ++v) {
        for (int u = left; u < right; ++u) {
          sum += depth.at(u, v);
          measured += depth.at(u, v) > 0;
        }
      }
      if (measured == 0) continue;
      small.metres[static_cast<size_t>(y) * static_cast<size_t>(small.width) + static_cast<size_t>(x)] =
          static_cast<float>(sum / measured);
    }
  }
  return small;
}

std::vector<float> cell_medians(const DepthPicture& depth, int rows, int columns) {
  std::vector<float> medians;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      medians.push_back(median_of(depth, column * depth.width / columns, row * depth.height / rows,
                                  (column + 1) * depth.width / columns, (row + 1) * depth.height / rows));
    }
  }
  return medians;
}

Recording depth_recording(const DepthPicture& depth) {
  const DepthPicture small = reduce(depth, kDepthPixels);
  Recording recording{.sense = &sense_kind("depth"), .windows = {}, .facts = measure(depth)};
  recording.windows.push_back(Tensor::from(small.metres, {small.height, small.width}));
  return recording;
}

Recording load_depth_recording(const std::filesystem::path& path, const RecordingOptions& options) {
  return depth_recording(load_depth(path, options));
}

Signal depth_signal(const Tensor& window_HW) {
  const auto height = static_cast<int>(window_HW.dim(0)), width = static_cast<int>(window_HW.dim(1));
  const std::span<const float> metres = window_HW.span<float>();
  float nearest = std::numeric_limits<float>::infinity(), farthest = 0;
  for (const float m : metres) {
    if (m <= 0) continue;
    nearest = std::min(nearest, m);
    farthest = std::max(farthest, m);
  }
  // Smaller pictures repeat their border.
  Signal signal(std::max(height, kLeastSide), std::max(width, kLeastSide), kDepthChannels);
  for (int y = 0; y < signal.height; ++y) {
    for (int x = 0; x < signal.width; ++x) {
      const int u = std::min(x, width - 1), v = std::min(y, height - 1);
      const float m = metres[static_cast<size_t>(v) * static_cast<size_t>(width) + static_cast<size_t>(u)];
      const bool measured = m > 0;
      signal.at(y, x, 0) = measured ? (std::log(m) - kMiddleLog) / kHalfSpanLog : 0.0f;
      signal.at(y, x, 1) = measured && farthest > nearest ? 2 * (m - nearest) / (farthest - nearest) - 1 : 0.0f;
      signal.at(y, x, 2) = measured ? 1.0f : -1.0f;
      signal.at(y, x, 3) = 2 * (static_cast<float>(x) + 0.5f) / static_cast<float>(signal.width) - 1;
      signal.at(y, x, 4) = 2 * (static_cast<float>(y) + 0.5f) / static_cast<float>(signal.height) - 1;
    }
  }
  return signal;
}

}  // namespace sensorium::modality
