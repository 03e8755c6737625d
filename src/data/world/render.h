// The picture of a scene.
#pragma once

#include "data/world/scene.h"
#include "media/image.h"

namespace sensorium::data {

struct Rendering {
  media::Image image;  // RGB
  // [height, width]: 1 + index of the thing that shows at the pixel, 0 for the background. A part counts where it
  // covers at least a quarter of the pixel.
  std::vector<uint16_t> owner;
};

// Paints the things in their order and applies the camera; sets box, visible_share and visible_pixels of every thing.
// The same scene gives the same bytes on every run. Throws Error(limit) for more than 65534 things.
Rendering render_picture(Scene& scene);

}  // namespace sensorium::data
