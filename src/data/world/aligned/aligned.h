// Scenes of the synthetic world as all senses perceive them: one thing that has a look, a voice, a distance, a warmth and a motion,
// before a camera that moves, given as picture, depth, heat, sound, film and motion sensors. What belongs together is true of all of
// them, so senses that are never trained on the same records can still be compared.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/world/world.h"
#include "media/audio.h"

namespace sensorium::data {

constexpr int kAlignedFrames = 8;         // of the film, over kAlignedSeconds
constexpr int kAlignedRateHz = 16'000;    // of the sound
constexpr int kAlignedMotionRateHz = 50;  // of the motion sensors
constexpr double kAlignedSeconds = 2;

struct AlignedScene {
  std::string name, color;    // of the thing: "car", "red"
  std::string thing_motion;   // one of thing_motions()
  std::string camera_motion;  // one of camera_motions()
  bool moves() const;         // whether anything in the film does

  media::Image picture;           // RGB: the film's first frame
  PixelBox box{};                 // of the thing in it
  std::vector<float> distance_m;  // of every pixel of the picture
  float thing_distance_m = 0;     // of the thing, which is nearer than all else
  media::Image16 heat;            // of every pixel, in hundredths of a kelvin
  media::Audio sound;             // mono
  std::vector<media::Image> film;
  std::vector<float> motion;  // [samples, 6]: accelerometer in m/s^2 with gravity, gyroscope in rad/s (modality/motion)
};

// Names of the things, each of which has its own voice.
std::span<const std::string_view> aligned_things();
std::span<const std::string_view> thing_motions();   // "rests", "moves left", "moves right"
std::span<const std::string_view> camera_motions();  // "still", "pans left", "pans right", "shakes"

// Drawing the film takes most of a scene's time: who does not watch it may leave it out.
enum class AlignedFilm : uint8_t { draw, leave_out };
// Scene `index` of `seed` is always the same, but for a film that is left out.
AlignedScene generate_aligned_scene(uint64_t seed, uint64_t index, AlignedFilm film = AlignedFilm::draw);

// Six records of a scene, one for each sense, as lines of a data set; each says which scene it is of. The paths of their media are
// media/NAME followed by the endings of aligned_files().
std::vector<Json> aligned_records(const AlignedScene& scene, uint64_t index, const std::string& name);
// {ending, bytes} of every file of a scene.
std::vector<std::pair<std::string, std::string>> aligned_files(const AlignedScene& scene);
// Writes `name`.jsonl and media/ for scenes first..first + count - 1 into `directory`, which is made if it is missing; the jsonl last.
// Throws Error(io, usage, interrupted).
WorldDatasetReport write_aligned_dataset(const std::filesystem::path& directory, const std::string& name,
                                         uint64_t first, size_t count, uint64_t seed);

// "a red car"
std::string phrase_of(const AlignedScene& scene);
// What a thermal picture tells of it: "a warm car", "a cool fish", "a key" (as warm as the room)
std::string warm_phrase_of(const AlignedScene& scene);
// What a depth picture tells: what is nearest, how far that is, and how far the middle of the picture is unless an edge goes through
// it, in metres ("2.9").
std::vector<QuestionAnswer> depth_questions(const AlignedScene& scene);
// One sentence about the film: "A red car moves left while the camera shakes."
std::string story_of(const AlignedScene& scene);

}  // namespace sensorium::data
