// What is in a synthetic scene, apart from how any sense shows it: things with a name, looks, geometry, distance and
// temperature. render.h makes a picture of it; depth, heat or sound of the same scene come from the same description.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "data/world/raster.h"

namespace sensorium::data {

struct Rgb {  // 0..255, sRGB encoded
  float r = 0, g = 0, b = 0;
};
inline Rgb mix(Rgb a, Rgb b, float t) { return {a.r + t * (b.r - a.r), a.g + t * (b.g - a.g), a.b + t * (b.b - a.b)}; }

enum class Fill {
  flat,
  linear,   // from `color` to `second` along `angle` over the shape's extent
  radial,   // from `color` at `focus` to `second` at the rim
  stripes,  // of `period` pixels, across `angle`
  checks,   // squares of `period` pixels
  clouds,   // smooth random patches of about `period` pixels
  bricks,   // courses of `period` pixels, joints in `second`
};

struct Paint {
  Rgb color, second;
  Fill fill = Fill::flat;
  float opacity = 1;
  float angle = 0;    // radians
  float period = 8;   // pixels
  Vec2 focus;         // of radial: -1..1 across the shape's box, (0, 0) its centre
  float grain = 0;    // amplitude of a fixed noise per pixel, 0..255
  uint32_t seed = 0;  // of clouds
};

enum class Form { polygon, stroke };

// One drawn element of a thing.
struct Part {
  Form form = Form::polygon;
  std::vector<std::vector<Vec2>> lines;  // closed contours, or open polylines for strokes; pixels
  float pen_width = 1;                   // of strokes; pixels
  Paint paint;
  bool ghost = false;  // marks a place (a missing tooth) without painting it
};

// Corners in pixels: x0, y0 inclusive, x1, y1 exclusive.
using PixelBox = std::array<float, 4>;

struct Thing {
  std::string name;   // class: "circle", "helmet"; empty: scenery
  std::string color;  // name of its colour, where it has one that people would say
  std::string size;   // "small", "medium", "large", where it matters
  std::string text;   // what is written, if it is writing
  int group = 0;      // which box of three, what lies in what: the kind of scene says
  bool annotated = true;
  float distance_m = 1;
  float temperature_c = 20;
  std::vector<Part> parts;

  // Set by rendering (render.h): the box of the pixels that show, how many they are, and their share of the pixels
  // inside the picture that the thing would cover if nothing stood in front of it.
  PixelBox box{};
  float visible_share = 0;
  int visible_pixels = 0;
};

// The sensor between scene and picture.
struct Camera {
  float brightness = 1, contrast = 1;
  Rgb tint{255, 255, 255};  // white: none
  float noise = 0;          // amplitude, 0..255
  int blur_radius = 0;      // of a box filter, pixels
  float vignette = 0;       // share of light lost in the corners
  uint64_t seed = 0;
};

struct Statement {
  std::string text;
  bool truth = false;
};

struct Scene {
  int width = 0, height = 0;
  Paint background;
  std::vector<Thing> things;  // in painting order, the farthest first
  Camera camera;
  std::string topic;                  // the scene's class, where it has one: a digit, a word, a kind of part
  std::vector<Statement> statements;  // that were fixed when the scene was made
  // Draws one more statement about the scene; none: the kind has no statements, or this try found none.
  std::function<std::optional<Statement>(Rng&)> draw_statement;
};

// --- Geometry -------------------------------------------------------------------------------------------------------

std::vector<Vec2> ellipse(Vec2 center, float radius_x, float radius_y, float turn_radians = 0);
std::vector<Vec2> rectangle(float x0, float y0, float x1, float y1);
std::vector<Vec2> rounded_rectangle(float x0, float y0, float x1, float y1, float radius);
// Points on a circle of `radius`; the first is straight up, turned clockwise by `turn_radians`.
std::vector<Vec2> regular_polygon(Vec2 center, float radius, int corners, float turn_radians = 0);
// A Catmull-Rom spline through the points, `steps` pieces between each two.
std::vector<Vec2> smooth_open(const std::vector<Vec2>& points, int steps = 6);
std::vector<Vec2> smooth_closed(const std::vector<Vec2>& points, int steps = 4);

// x' = a x + b y + x0, y' = c x + d y + y0.
struct Transform {
  float a = 1, b = 0, c = 0, d = 1, x0 = 0, y0 = 0;
  Vec2 operator()(Vec2 p) const { return {a * p.x + b * p.y + x0, c * p.x + d * p.y + y0}; }
  // Scales, turns clockwise on the screen, then shifts.
  static Transform placed(Vec2 at, float scale, float turn_radians = 0);
};
void transform_parts(const Transform& transform, std::vector<Part>& parts);

Part filled(std::vector<Vec2> contour, Paint paint);
Part stroked(std::vector<Vec2> line, float pen_width, Paint paint);
inline Paint flat(Rgb color) { return {.color = color}; }

}  // namespace sensorium::data
