// Where in a picture or a film something is that a text, a sound or any other vector says: parts of it are embedded and compared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "models/embedding/embedder.h"

namespace sensorium::models {

struct LocateOptions {
  // Sides of the square windows, as parts of the picture's shorter side; each stands half its side from its neighbours.
  std::vector<double> scales = {1.0, 0.5, 0.34};
};

struct ScoredWindow {
  int x = 0, y = 0, width = 0, height = 0;  // pixels
  float cosine = 0;
};

// The windows of a picture, best first. `query` f32 [dim] or [1, dim] of any length. Throws as the embedder.
std::vector<ScoredWindow> score_windows(const Embedder& embedder, const media::Image& image, const Tensor& query,
                                        const LocateOptions& options = {});
// f32 [height, width], 0..1: for each pixel the mean cosine of the windows over it, the lowest of the picture 0 and the highest 1; 0.5
// everywhere where all are the same.
Tensor heat_of(const std::vector<ScoredWindow>& windows, int width, int height);
// The picture in grey, coloured by heat [height, width]: blue 0, red 1.
media::Image draw_heat(const media::Image& image, const Tensor& heat);

struct ScoredMoment {
  double time_s = 0;
  float cosine = 0;
};
// Frames of a film, `frames_per_s` of them a second (at most `most`), in order of time.
std::vector<ScoredMoment> score_moments(const Embedder& embedder, const std::filesystem::path& film,
                                        const Tensor& query, double frames_per_s = 1, int most = 256);

}  // namespace sensorium::models
