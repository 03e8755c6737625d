// Random changes of a training picture that keep its meaning, with its boxes.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "media/image.h"
#include "modality/image/prepare.h"
#include "models/sensorium/heads.h"

namespace sensorium::train {

// How strongly each kind of change may act. What is allowed depends on the data: a digit must not be mirrored, a scene
// whose questions say "left" neither.
struct AugmentPolicy {
  const char* name;
  double scale_low, scale_high;  // of the content
  double aspect;                 // width against height, up to 1 +- aspect
  double rotate_degrees;
  double shift;          // of the side
  double mirror;         // probability of a left-right flip
  double quarter_turns;  // probability of a random quarter turn
  double brightness, contrast, saturation, hue;
  double erase;                // probability of an erased rectangle
  double blur;                 // probability
  double size_low, size_high;  // of the prepared picture's sides, within the pixel budget
};

// photo, photo_strong, photo_boxes, digit, cells, scene, film, none. Throws Error(usage) for other names, suggesting the nearest.
const AugmentPolicy& augment_policy(const std::string& name);

struct AugmentedImage {
  media::Image image;              // of a size that the encoder takes
  std::vector<models::Box> boxes;  // in its pixels; empty (all zero) if less than a third of the box is left
};
AugmentedImage augment(const media::Image& image, const std::vector<models::Box>& boxes, const AugmentPolicy& policy,
                       const modality::ImagePrepareConfig& prepare, Rng& rng);

}  // namespace sensorium::train
