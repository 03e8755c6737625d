// CutMix (Yun 2019): a rectangle of one labelled picture in another, and the labels of both, by area. What a class looks like is
// then learned from its parts, and few pictures are not learned by heart.
#pragma once

#include <span>

#include "base/rng.h"
#include "models/sensorium/training.h"

namespace sensorium::train {

// `chances`: how likely each picture of the batch gets a part of another one; 0 for pictures that neither give nor take. The area
// of the part is uniform in 0..1 of the picture, its pixels come from the same place of the other picture, scaled to this one's
// size. Pictures without a label, of marked objects, or grey beside colour stay as they are.
void cut_mix(models::TrainingBatch& batch, std::span<const double> chances, Rng& rng);

}  // namespace sensorium::train
