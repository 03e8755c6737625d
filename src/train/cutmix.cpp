#include "train/cutmix.h"

#include <algorithm>
#include <cmath>

#include "media/resize.h"

namespace sensorium::train {
namespace {

// A rectangle in shares of the sides.
struct Part {
  double x0, y0, x1, y1;
};

Part random_part(double area, Rng& rng) {
  const double half = std::sqrt(area) / 2;
  const double x = rng.uniform(), y = rng.uniform();
  const auto clip = [](double value) { return std::clamp(value, 0.0, 1.0); };
  return {clip(x - half), clip(y - half), clip(x + half), clip(y + half)};
}

// Puts the part of `from` into the same place of `to`; returns the share of `to` that it covers.
double paste(media::Image& to, const media::Image& from, const Part& part) {
  const auto pixel = [](double share, int side) { return static_cast<int>(std::lround(share * side)); };
  const int x0 = pixel(part.x0, to.width), x1 = pixel(part.x1, to.width);
  const int y0 = pixel(part.y0, to.height), y1 = pixel(part.y1, to.height);
  if (x1 <= x0 || y1 <= y0) return 0;
  const auto share = [](int at, int side, int other) {
    return static_cast<float>(at) / static_cast<float>(side) * static_cast<float>(other);
  };
  const media::Image patch = media::resize(from, x1 - x0, y1 - y0, media::ResizeFilter::bilinear,
                                           {share(x0, to.width, from.width), share(y0, to.height, from.height),
                                            share(x1, to.width, from.width), share(y1, to.height, from.height)});
  for (int y = y0; y < y1; ++y) {
    std::copy_n(patch.row(y - y0), patch.row_samples(), to.at(x0, y));
  }
  return static_cast<double>(x1 - x0) * (y1 - y0) / (static_cast<double>(to.width) * to.height);
}

}  // namespace

void cut_mix(models::TrainingBatch& batch, std::span<const double> chances, Rng& rng) {
  std::vector<size_t> mixable;
  for (size_t i = 0; i < chances.size(); ++i) {
    if (chances[i] > 0 && batch.images[i].label >= 0 && !batch.images[i].boxes_known) mixable.push_back(i);
  }
  if (mixable.size() < 2) return;
  // Parts come from the pictures as they were before any was mixed.
  std::vector<media::Image> whole;
  for (const size_t i : mixable) whole.push_back(batch.images[i].image);
  for (const size_t i : mixable) {
    models::TrainingImage& image = batch.images[i];
    if (!rng.chance(chances[i])) continue;
    const size_t giver = rng.below(mixable.size());
    const Part part = random_part(rng.uniform(), rng);
    if (mixable[giver] == i || whole[giver].channels != image.image.channels) continue;
    image.other_share = static_cast<float>(paste(image.image, whole[giver], part));
    image.other_label = batch.images[mixable[giver]].label;
  }
}

}  // namespace sensorium::train
