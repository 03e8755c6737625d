#include "data/world/aligned/aligned.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/world/aligned/voices.h"
#include "data/world/objects.h"
#include "data/world/render.h"

namespace sensorium::data {
namespace {

constexpr std::array<std::string_view, 8> kThings = {"boat", "car", "cup", "fish", "flower", "house", "key", "tree"};
// Degrees Celsius, in the same order.
constexpr std::array<float, kThings.size()> kWarmth = {35, 70, 55, 12, 26, 40, 20, 24};
constexpr std::array<std::string_view, 3> kThingMotions = {"rests", "moves left", "moves right"};
constexpr std::array<int, kThingMotions.size()> kDirections = {0, -1, 1};
constexpr std::array<std::string_view, 4> kCameraMotions = {"still", "pans left", "pans right", "shakes"};

constexpr int kWidth = 160, kHeight = 96;
constexpr float kSmallestRadius = 14, kLargestRadius = 26;
constexpr float kRealRadiusM = 0.5f,
                kFocalPixels = 120;  // every thing is about a metre large: what is near looks large
constexpr float kWallM = 9, kRoomC = 18, kWarmthSpread = 3;
constexpr float kGravity = 9.81f, kPanRadPerS = 0.4f, kShakeHz = 7;

// Where the camera looks at a time, in pixels of the picture.
Vec2 gaze(size_t camera, double t, double phase) {
  const double pan = kPanRadPerS * kFocalPixels * t * 0.4;
  if (camera == 1) return {static_cast<float>(-pan), 0};
  if (camera == 2) return {static_cast<float>(pan), 0};
  if (camera == 0) return {};
  const double angle = 2 * 3.14159265 * kShakeHz * t + phase;
  return {static_cast<float>(3 * std::sin(angle)), static_cast<float>(3 * std::cos(1.7 * angle))};
}

// Accelerometer and gyroscope of the camera: gravity down the y axis, turns about it, and the poor sensor's noise.
std::vector<float> sense_motion(size_t camera, double phase, Rng& rng) {
  std::vector<float> motion;
  const auto samples = static_cast<int>(kAlignedSeconds * kAlignedMotionRateHz);
  const double speed = rng.uniform(0.7, 1.3);
  for (int i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) / kAlignedMotionRateHz;
    const double angle = 2 * 3.14159265 * kShakeHz * speed * t + phase;
    const bool shakes = camera == 3;
    const double turn = camera == 1 ? kPanRadPerS * speed : camera == 2 ? -kPanRadPerS * speed : 0;
    const std::array<double, 6> clean = {shakes ? 3 * std::sin(angle) : 0,
                                         kGravity + (shakes ? 3 * std::cos(1.7 * angle) : 0),
                                         0,
                                         shakes ? 0.3 * std::cos(angle) : 0,
                                         turn,
                                         0};
    for (size_t axis = 0; axis < clean.size(); ++axis)
      motion.push_back(static_cast<float>(clean[axis] + rng.normal() * (axis < 3 ? 0.05 : 0.02)));
  }
  return motion;
}

// The scene with everything shifted: the thing by its own way and the camera's, a few marks on the wall by the camera's alone.
struct Stage {
  Thing thing;
  std::vector<Thing> marks;
  Paint wall;
  Camera camera;

  Scene at(Vec2 thing_shift, Vec2 camera_shift) const {
    Scene scene{.width = kWidth, .height = kHeight, .background = wall, .things = marks, .camera = camera};
    for (Thing& mark : scene.things)
      transform_parts(Transform::placed({-camera_shift.x, -camera_shift.y}, 1), mark.parts);
    scene.things.push_back(thing);
    transform_parts(Transform::placed({thing_shift.x - camera_shift.x, thing_shift.y - camera_shift.y}, 1),
                    scene.things.back().parts);
    return scene;
  }
};

}  // namespace

bool AlignedScene::moves() const { return thing_motion != kThingMotions[0] || camera_motion != kCameraMotions[0]; }

std::span<const std::string_view> aligned_things() { return kThings; }
std::span<const std::string_view> thing_motions() { return kThingMotions; }
std::span<const std::string_view> camera_motions() { return kCameraMotions; }

std::string phrase_of(const AlignedScene& scene) {
  const bool vowel = std::string_view("aeiou").find(scene.color.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + scene.color + " " + scene.name;
}

std::string warm_phrase_of(const AlignedScene& scene) {
  const auto thing = static_cast<size_t>(std::ranges::find(kThings, scene.name) - kThings.begin());
  const float above = kWarmth[thing] - kRoomC;
  return (above > kWarmthSpread ? "a warm " : above < -kWarmthSpread ? "a cool " : "a ") + scene.name;
}

std::vector<QuestionAnswer> depth_questions(const AlignedScene& scene) {
  const auto metres = [](float distance) { return fmt::format("{:.1f}", distance); };
  std::vector<QuestionAnswer> questions = {
      {"What is nearest to the camera?", scene.name},
      {"How far is the nearest thing, in metres?", metres(scene.thing_distance_m)}};
  const int width = scene.picture.width, height = scene.picture.height, half = height / 20;
  std::vector<float> middle;
  for (int y = height / 2 - half; y < height / 2 + half; ++y) {
    for (int x = width / 2 - half; x < width / 2 + half; ++x)
      middle.push_back(scene.distance_m[static_cast<size_t>(y * width + x)]);
  }
  const auto [nearest, farthest] = std::ranges::minmax(middle);
  if (nearest == farthest) questions.push_back({"How far is the centre of the image, in metres?", metres(nearest)});
  return questions;
}

std::string story_of(const AlignedScene& scene) {
  std::string story = phrase_of(scene) + " " + scene.thing_motion;
  story.front() = 'A';
  if (scene.camera_motion != kCameraMotions[0]) story += " while the camera " + scene.camera_motion;
  return story + ".";
}

AlignedScene generate_aligned_scene(uint64_t seed, uint64_t index, AlignedFilm film) {
  Rng rng = Rng::for_item(seed, index);
  const size_t kind = rng.below(kThings.size()), direction = rng.below(kThingMotions.size());
  const size_t camera = rng.chance(0.5) ? 0 : 1 + rng.below(kCameraMotions.size() - 1);
  const NamedColor& color = object_colors()[rng.below(object_colors().size())];
  AlignedScene scene{.name = std::string(kThings[kind]),
                     .color = std::string(color.name),
                     .thing_motion = std::string(kThingMotions[direction]),
                     .camera_motion = std::string(kCameraMotions[camera])};

  const auto radius = static_cast<float>(rng.uniform(kSmallestRadius, kLargestRadius));
  // Room for the way that it goes.
  const double way = kDirections[direction] * rng.uniform(25, 45);
  const double left = radius + std::max(0.0, -way), right = kWidth - radius - std::max(0.0, way);
  const Vec2 place{static_cast<float>(rng.uniform(left, right)),
                   static_cast<float>(rng.uniform(radius, kHeight - radius))};
  Stage stage{.thing = make_object(scene.name, color.name, place, radius, rng),
              .marks = {},
              .wall = contrasting_background({color.name}, rng),
              .camera = plain_camera(rng)};
  stage.thing.distance_m = kRealRadiusM * kFocalPixels / radius;
  stage.thing.temperature_c = kWarmth[kind] + static_cast<float>(rng.uniform(-kWarmthSpread, kWarmthSpread));
  for (int i = 0; i < 6; ++i) {
    const Vec2 at{static_cast<float>(rng.uniform(-20, kWidth + 20)), static_cast<float>(rng.uniform(0, kHeight))};
    Thing& mark = stage.marks.emplace_back();
    mark.annotated = false;
    mark.distance_m = kWallM;
    mark.temperature_c = kRoomC;
    mark.parts.push_back(filled(ellipse(at, 2.5f, 2.5f), flat(mix(stage.wall.color, {128, 128, 128}, 0.6f))));
  }

  const double phase = rng.uniform(0, 6.28);
  const int frames = film == AlignedFilm::draw ? kAlignedFrames : 1;
  for (int t = 0; t < frames; ++t) {
    const double part = static_cast<double>(t) / (kAlignedFrames - 1);
    Scene frame = stage.at({static_cast<float>(way * part), 0}, gaze(camera, kAlignedSeconds * part, phase));
    const Rendering rendering = render_picture(frame);
    scene.film.push_back(rendering.image);
    if (t > 0) continue;
    scene.box = frame.things.back().box;
    const size_t pixels = rendering.owner.size();
    scene.distance_m.assign(pixels, kWallM);
    scene.heat = media::Image16(kWidth, kHeight, 1);
    for (size_t i = 0; i < pixels; ++i) {
      const bool on_thing = rendering.owner[i] == frame.things.size();
      if (on_thing) scene.distance_m[i] = stage.thing.distance_m;
      const double celsius = (on_thing ? stage.thing.temperature_c : kRoomC) + 0.3 * rng.normal();
      scene.heat.pixels[i] = static_cast<uint16_t>(std::lround((celsius + 273.15) * 100));
    }
  }
  scene.thing_distance_m = stage.thing.distance_m;
  scene.picture = scene.film.front();
  if (film == AlignedFilm::leave_out) scene.film.clear();
  scene.sound = {kAlignedRateHz, 1,
                 make_voice(kind, static_cast<int>(kAlignedSeconds * kAlignedRateHz), kAlignedRateHz, rng)};
  scene.motion = sense_motion(camera, phase, rng);
  return scene;
}

}  // namespace sensorium::data
