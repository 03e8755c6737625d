#include "models/embedding/locate.h"

#include <algorithm>
#include <cmath>

#include "media/color.h"
#include "media/geometry.h"
#include "media/video.h"
#include "models/embedding/vectors.h"
#include "ops/ops.h"

namespace sensorium::models {
namespace {

constexpr int kSmallestWindow = 8;
constexpr int kFrameSide = 512;  // a film's frames are reduced to: no tower reads more

// Where windows of `side` begin that cover 0..length, half a side apart at most.
std::vector<int> window_starts(int length, int side) {
  const int room = length - side;
  const int steps = room == 0 ? 0 : std::max(1, static_cast<int>(std::ceil(room / (side * 0.5))));
  std::vector<int> starts;
  for (int i = 0; i <= steps; ++i) {
    starts.push_back(steps == 0 ? 0 : static_cast<int>(std::lround(static_cast<double>(room) * i / steps)));
  }
  return starts;
}

// Of unit vectors with the query's.
std::vector<float> cosines(const Embedder& embedder, const std::vector<EmbedInput>& inputs, const Tensor& query) {
  const NoGrad no_grad;
  const Tensor query_1C = unit_rows(query.reshape({1, query.elements()}));
  return ops::linear(unit_rows(embedder.embed(inputs)), query_1C).to_floats();
}

// 0 blue, 0.25 cyan, 0.5 green, 0.75 yellow, 1 red.
media::Color heat_color(float heat) {
  const auto channel = [&](float centre) {
    const float value = 1.5f - std::abs(4.0f * heat - centre);
    return static_cast<uint8_t>(std::lround(255.0f * std::clamp(value, 0.0f, 1.0f)));
  };
  return {channel(3.0f), channel(2.0f), channel(1.0f)};
}

}  // namespace

std::vector<ScoredWindow> score_windows(const Embedder& embedder, const media::Image& image, const Tensor& query,
                                        const LocateOptions& options) {
  const int shorter = std::min(image.width, image.height);
  std::vector<ScoredWindow> windows;
  std::vector<EmbedInput> inputs;
  for (const double scale : options.scales) {
    require(scale > 0 && scale <= 1, ErrorKind::usage, "a window of {} times the picture's shorter side", scale);
    const int side =
        std::clamp(static_cast<int>(std::lround(scale * shorter)), std::min(kSmallestWindow, shorter), shorter);
    for (const int y : window_starts(image.height, side)) {
      for (const int x : window_starts(image.width, side)) {
        windows.push_back({x, y, side, side, 0});
        inputs.push_back({.sense = InputSense::image,
                          .image = std::make_shared<media::Image>(media::crop(image, x, y, side, side))});
      }
    }
  }
  const std::vector<float> found = cosines(embedder, inputs, query);
  for (size_t i = 0; i < windows.size(); ++i) windows[i].cosine = found[i];
  std::ranges::stable_sort(windows, std::ranges::greater(), &ScoredWindow::cosine);
  return windows;
}

Tensor heat_of(const std::vector<ScoredWindow>& windows, int width, int height) {
  const Tensor heat = Tensor::zeros({height, width}), count = Tensor::zeros({height, width});
  for (const ScoredWindow& window : windows) {
    for (int y = window.y; y < window.y + window.height; ++y) {
      for (int x = window.x; x < window.x + window.width; ++x) {
        heat.data<float>()[int64_t{y} * width + x] += window.cosine;
        count.data<float>()[int64_t{y} * width + x] += 1;
      }
    }
  }
  const std::span<float> values = heat.span<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] /= std::max(1.0f, count.span<float>()[i]);
  const auto [low, high] = std::ranges::minmax(values);
  const float lowest = low, range = high - low;
  for (float& value : values) value = range > 0 ? (value - lowest) / range : 0.5f;
  return heat;
}

media::Image draw_heat(const media::Image& image, const Tensor& heat) {
  require(heat.shape() == Shape({image.height, image.width}), ErrorKind::shape, "heat {} for a picture of {} x {}",
          heat.shape(), image.width, image.height);
  const media::Image grey = media::to_grey(image);
  media::Image drawn(image.width, image.height);
  for (size_t i = 0; i < grey.pixels.size(); ++i) {
    const media::Color color = heat_color(heat.data<float>()[i]);
    const int light = grey.pixels[i];
    drawn.pixels[3 * i] = static_cast<uint8_t>((light + color.r) / 2);
    drawn.pixels[3 * i + 1] = static_cast<uint8_t>((light + color.g) / 2);
    drawn.pixels[3 * i + 2] = static_cast<uint8_t>((light + color.b) / 2);
  }
  return drawn;
}

std::vector<ScoredMoment> score_moments(const Embedder& embedder, const std::filesystem::path& film,
                                        const Tensor& query, double frames_per_s, int most) {
  const media::Video video = media::load_video(
      film, {.frames_per_s = frames_per_s, .min_frames = 1, .max_frames = most, .max_side = kFrameSide});
  std::vector<EmbedInput> inputs;
  for (const media::VideoFrame& frame : video.frames) {
    inputs.push_back(
        {.sense = InputSense::image, .image = std::make_shared<media::Image>(frame.image), .name = film.string()});
  }
  const std::vector<float> found = cosines(embedder, inputs, query);
  std::vector<ScoredMoment> moments;
  for (size_t i = 0; i < found.size(); ++i) moments.push_back({video.frames[i].time_s, found[i]});
  return moments;
}

}  // namespace sensorium::models
