// Changing values: grey, brightness, contrast, saturation, hue, blur, erasing. What trainers call augmentation;
// everything is deterministic in its parameters, and the random ones take an Rng.
#pragma once

#include "base/rng.h"
#include "media/image.h"

namespace sensorium::media {

// One channel: (19595 R + 38470 G + 7471 B + 32768) / 65536, ITU-R BT.601 luma in 16-bit fixed point, as Pillow.
Image to_grey(const Image& image);
// Three channels; grey is repeated.
Image to_rgb(const Image& image);

// As Pillow's ImageEnhance, bit for bit: value + factor * (picture - value) where `value` is black, the mean luma, or
// the pixel's own luma. factor 1 changes nothing, 0 gives `value`. Throws Error(usage) unless 0 <= factor <= 1000.
Image adjust_brightness(const Image& image, double factor);
Image adjust_contrast(const Image& image, double factor);
Image adjust_saturation(const Image& image, double factor);
// Turns the hue (of HSV) by `turns` of the colour circle; 0.5 is the opposite colour. Grey pixels stay.
Image adjust_hue(const Image& image, double turns);

// Mean over (2 radius + 1)^2 pixels, borders repeated, as Pillow's BoxBlur. Throws Error(usage) if radius < 0.
Image box_blur(const Image& image, int radius);

// Fills the part of the rectangle that lies inside the picture.
void erase_rect(Image& image, int x, int y, int width, int height, Color fill);

struct PixelRect {
  int x = 0, y = 0, width = 0, height = 0;
};
// A rectangle for random erasing (Zhong et al. 2017): area uniform in [min_area, max_area] of the picture, aspect ratio
// log-uniform in [1 / max_aspect, max_aspect], always inside. Throws Error(usage) on ranges that are not ordered.
PixelRect random_erase_rect(Rng& rng, int width, int height, double min_area = 0.02, double max_area = 0.2,
                            double max_aspect = 3.0);

// Ranges of a colour jitter: factors are uniform in [1 - x, 1 + x] (not below 0), hue in [-hue, hue] turns.
struct ColorJitter {
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
};
// Applies the four in a random order, as torchvision's ColorJitter does.
Image jitter_color(const Image& image, const ColorJitter& jitter, Rng& rng);

}  // namespace sensorium::media
