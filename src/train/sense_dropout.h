// Modality dropout: records that are perceived by several senses are learned from without some of them, so that none is relied on.
#pragma once

#include "base/rng.h"
#include "train/lesson.h"

namespace sensorium::train {

// A conversation without the pictures and recordings of some senses: each sense is dropped with the probability, all of its media at
// once; where all would be, one of them stays. A film may lose its sound, never itself: its questions are about what is seen. A
// lesson of one sense stays as it is.
Lesson without_some_senses(Lesson lesson, double probability, Rng& rng);

}  // namespace sensorium::train
