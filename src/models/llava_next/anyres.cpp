#include "models/llava_next/anyres.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sensorium::models {
namespace {

// What Python's int(value) gives, or int(round(value, 7)).
int64_t whole(double value, Rounding rounding) {
  return static_cast<int64_t>(rounding == Rounding::lifted ? std::nearbyint(value * 1e7) / 1e7 : value);
}

}  // namespace

Extent best_pinpoint(Extent picture, const std::vector<Extent>& pinpoints) {
  const auto width = static_cast<double>(picture.width), height = static_cast<double>(picture.height);
  Extent best;
  int64_t most_shown = 0, least_wasted = 0;
  for (const Extent& candidate : pinpoints) {
    const double scale =
        std::min(static_cast<double>(candidate.width) / width, static_cast<double>(candidate.height) / height);
    const auto scaled_width = static_cast<int64_t>(width * scale), scaled_height = static_cast<int64_t>(height * scale);
    const int64_t shown = std::min(scaled_width * scaled_height, picture.width * picture.height);
    const int64_t wasted = candidate.width * candidate.height - shown;
    if (shown > most_shown || (shown == most_shown && best.width != 0 && wasted < least_wasted)) {
      best = candidate;
      most_shown = shown;
      least_wasted = wasted;
    }
  }
  require(best.width != 0, ErrorKind::usage, "a picture of {} x {} pixels is too thin for this model", picture.width,
          picture.height);
  return best;
}

Extent fit_into(Extent picture, Extent target) {
  const auto width = static_cast<double>(picture.width), height = static_cast<double>(picture.height);
  const double scale_x = static_cast<double>(target.width) / width,
               scale_y = static_cast<double>(target.height) / height;
  if (scale_x < scale_y) {
    return {std::min(static_cast<int64_t>(std::ceil(height * scale_x)), target.height), target.width};
  }
  return {target.height, std::min(static_cast<int64_t>(std::ceil(width * scale_y)), target.width)};
}

Window unpadded(Extent grid, Extent picture, Rounding rounding) {
  const auto width = static_cast<double>(picture.width), height = static_cast<double>(picture.height);
  const auto columns = static_cast<double>(grid.width), rows = static_cast<double>(grid.height);
  Window window{.bottom = grid.height, .right = grid.width};
  if (width / height > columns / rows) {
    const int64_t border = (grid.height - whole(height * (columns / width), rounding)) / 2;
    window.top = border;
    window.bottom = grid.height - border;
  } else {
    const int64_t border = (grid.width - whole(width * (rows / height), rounding)) / 2;
    window.left = border;
    window.right = grid.width - border;
  }
  return window;
}

}  // namespace sensorium::models
