// Resampling, bit for bit as Pillow does it on 8-bit pictures (Image.resize): a separable filter whose support grows
// with the reduction (antialiasing), in fixed point with 22 fractional bits. The reference is Pillow 13.
#pragma once

#include "media/image.h"

namespace sensorium::media {

enum class ResizeFilter { nearest, box, bilinear, bicubic, lanczos };

// A part of the source in its pixel coordinates, fractions allowed: x in [x0, x1), y in [y0, y1).
struct ResizeBox {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

// The picture scaled to width x height. bicubic is Keys' kernel with a = -0.5; lanczos has three lobes.
// Throws Error(shape): empty picture, sides < 1, or a box that is empty or outside the picture.
Image resize(const Image& image, int width, int height, ResizeFilter filter);
Image resize(const Image& image, int width, int height, ResizeFilter filter, const ResizeBox& box);

}  // namespace sensorium::media
