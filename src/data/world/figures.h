// Drawn people: a body and a head with or without a safety helmet.
#pragma once

#include "base/rng.h"
#include "data/world/scene.h"

namespace sensorium::data {

enum class Facing { front, left, right, back };

struct Figure {
  Vec2 head;          // centre, pixels
  float head_height;  // chin to crown, pixels
  Facing facing = Facing::front;
  bool helmet = false;
  float distance_m = 5;
};

// The body (scenery, drawn first) and the head: a thing "helmet" (head and helmet together, as annotators box it) or
// "head", which may wear hair, a cap or a woollen hat.
struct DrawnFigure {
  Thing body, head;
};
DrawnFigure draw_figure(const Figure& figure, Rng& rng);

}  // namespace sensorium::data
