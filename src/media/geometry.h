// Moving pixels: cropping, padding, mirroring, quarter turns, affine warps.
#pragma once

#include <array>

#include "media/image.h"

namespace sensorium::media {

// The width x height pixels whose top left corner is (x, y). Throws Error(shape) if they are not all inside.
Image crop(const Image& image, int x, int y, int width, int height);
// Adds borders of the given widths in pixels, filled with `fill` (its red value for grey pictures).
Image pad(const Image& image, int left, int top, int right, int bottom, Color fill);
Image flip_horizontal(const Image& image);
Image flip_vertical(const Image& image);
// Turns clockwise by 90 degrees `quarter_turns` times; negative is counter-clockwise.
Image rotate_quarter(const Image& image, int quarter_turns);
// Makes a picture stored with EXIF orientation 1..8 upright (Exif 2.32, tag 0x0112). Other values change nothing.
Image apply_orientation(const Image& image, int orientation);

// Maps points of the result to points of the source, in pixel coordinates whose (0, 0) is the corner of the first
// pixel: (x, y) -> (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]). The inverse of where a source point goes.
using Affine = std::array<double, 6>;
// Rotation by `degrees` (clockwise on the screen), scaling, then a shift by (shift_x, shift_y) pixels, all about the
// picture's centre; as the map from result to source that warp_affine takes. Throws Error(usage) unless scale > 0.
Affine affine_about_center(int width, int height, double degrees, double scale, double shift_x, double shift_y);
// Where a source point lands in the result: the inverse of `map`. Throws Error(numeric) if it has none.
Affine invert(const Affine& map);
// Bilinear sampling at pixel centres; samples outside the source are `fill`.
Image warp_affine(const Image& image, int width, int height, const Affine& map, Color fill);

}  // namespace sensorium::media
