// What the things of aligned scenes sound like.
#pragma once

#include <string_view>
#include <vector>

#include "base/rng.h"

namespace sensorium::data {

// The voice of aligned_things()[thing], at most -1..1: no two of the same seed are alike, and no thing sounds like another.
std::vector<float> make_voice(size_t thing, int samples, int rate_hz, Rng& rng);

}  // namespace sensorium::data
