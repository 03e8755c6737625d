// Outlines of simple objects in unit coordinates: about -1..1 in x and y, y downwards.
#pragma once

#include <string_view>
#include <vector>

#include "base/rng.h"
#include "data/world/scene.h"

namespace sensorium::data {

// The parts of an object whose main surface has the given paint. An unknown name gives a disc.
std::vector<Part> icon_parts(std::string_view name, const Paint& paint, Rng& rng);
// By how much the object may be turned, drawn at random; shapes turn freely as far as they stay what they are called.
float icon_tilt(std::string_view name, Rng& rng);

}  // namespace sensorium::data
