// From a decoded picture to the model's input: resize to a budget of pixels, normalise.
#pragma once

#include <span>
#include <vector>

#include "media/image.h"
#include "ops/ops.h"

namespace sensorium::modality {

struct ImagePrepareConfig {
  int64_t max_pixels = 320 * 240;  // larger pictures shrink (aspect ratio kept) until they fit
  int64_t min_side = 64;           // smaller pictures grow until the shorter side has this many pixels
  int64_t max_aspect = 8;          // longer strips than max_aspect : 1 are squeezed to it
};

// The size that a picture of width x height pixels is resized to; both sides are at least 16.
struct PreparedSize {
  int width = 0, height = 0;
};
PreparedSize prepared_size(int width, int height, const ImagePrepareConfig& config);

// Bilinear with antialiasing, as Pillow.
media::Image resize_for_model(const media::Image& image, const ImagePrepareConfig& config);

// A batch of pictures as one packed list of pixels.
struct PreparedImages {
  Tensor pixels_P3;        // [sum h*w, 3], (value / 255 - 0.5) / 0.25, in `dtype`
  ops::Pictures pictures;  // their sizes in pixels
};
// `images`: RGB or grey, already of their prepared size.
PreparedImages pack_images(std::span<const media::Image* const> images, DType dtype);

}  // namespace sensorium::modality
