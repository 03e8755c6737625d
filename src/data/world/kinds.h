// The kinds of scene: what registry.cpp lists. Each has its own source file.
#pragma once

#include "data/world/world.h"

namespace sensorium::data {

Scene compose_shapes(Rng& rng, int width, int height);
void describe_shapes(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_counting(Rng& rng, int width, int height);
void describe_counting(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_relations(Rng& rng, int width, int height);
void describe_relations(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_digits(Rng& rng, int width, int height);
void describe_digits(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_words(Rng& rng, int width, int height);
void describe_words(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_blocks(Rng& rng, int width, int height);
void describe_blocks(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_site(Rng& rng, int width, int height);
void describe_site(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_parts(Rng& rng, int width, int height);
void describe_parts(const Scene& scene, Rng& rng, WorldSample& sample);

Scene compose_cells(Rng& rng, int width, int height);
void describe_cells(const Scene& scene, Rng& rng, WorldSample& sample);

}  // namespace sensorium::data
