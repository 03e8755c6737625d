// Named colours and simple named objects (geometric shapes and small icons), placed at random: what the kinds shapes,
// counting and relations have in common.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "data/world/scene.h"
#include "data/world/world.h"

namespace sensorium::data {

struct NamedColor {
  std::string_view name;
  Rgb rgb;
};
std::span<const NamedColor> object_colors();
// A colour that people still call `name`: the hue kept, lightness and each channel moved a little.
Rgb vary_color(std::string_view name, Rng& rng);

std::span<const std::string_view> shape_names();  // eight geometric shapes
std::span<const std::string_view> icon_names();   // house, tree, fish, ...

// A thing of the given class in the named colour, about `radius` pixels around `center`, in a random finish.
Thing make_object(std::string_view name, std::string_view color, Vec2 center, float radius, Rng& rng);

// A random surface that differs clearly from each of the colours.
Paint contrasting_background(const std::vector<std::string_view>& colors, Rng& rng);
// Mild noise, light and blur, as a cheap camera has.
Camera plain_camera(Rng& rng);

// A free place for a disc, at least `gap` pixels from the others and from the edge; false after some tries.
struct Disc {
  Vec2 center;
  float radius;
};
bool place_disc(std::vector<Disc>& placed, float radius, float gap, int width, int height, Rng& rng);

// "small", "medium" or "large" and a radius for it, as a share of the shorter side.
struct SizeClass {
  std::string_view name;
  float low, high;
};
std::span<const SizeClass> size_classes();

// --- Descriptions ---------------------------------------------------------------------------------------------------

// Annotated things that match; an empty string matches all.
int count_things(const Scene& scene, std::string_view name, std::string_view color, std::string_view size = "");
// "red circle"
std::string look(const Thing& thing);
// Fills boxes and counts from every annotated thing.
void add_boxes(const Scene& scene, WorldSample& sample);
// A statement with the wanted truth if `make` gives one in some tries: keeps labels balanced.
void add_balanced_statement(WorldSample& sample, Rng& rng, const std::function<Statement(Rng&)>& make);
inline const char* yes_no(bool value) { return value ? "yes" : "no"; }

}  // namespace sensorium::data
