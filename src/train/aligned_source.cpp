#include "train/aligned_source.h"

#include <algorithm>
#include <array>

#include "data/world/aligned/aligned.h"
#include "media/audio.h"
#include "modality/audio/prepare.h"
#include "modality/depth/depth.h"
#include "modality/motion/motion.h"
#include "modality/thermal/thermal.h"
#include "modality/video/video.h"

namespace sensorium::train {
namespace {

using data::AlignedScene;

constexpr int64_t kLooks = 200;  // lessons that hold every word

std::shared_ptr<const modality::Recording> shared(modality::Recording recording) {
  return std::make_shared<const modality::Recording>(std::move(recording));
}

void add_thing(const AlignedScene& scene, Lesson& lesson) {
  lesson.boxes_known = true;
  lesson.objects = {{scene.name, {scene.box[0], scene.box[1], scene.box[2], scene.box[3]}}};
}

void show_picture(const AlignedScene& scene, Lesson& lesson) {
  lesson.image = std::make_shared<const media::Image>(scene.picture);
  lesson.label = scene.name;
  lesson.captions = {data::phrase_of(scene)};
  lesson.exchanges = {{"What is in the picture?", scene.name}, {"Which colour does it have?", scene.color}};
  add_thing(scene, lesson);
}

void show_heat(const AlignedScene& scene, Lesson& lesson) {
  lesson.image = std::make_shared<const media::Image>(modality::relative_heat(scene.heat));
  lesson.picture = modality::find_picture_kind("thermal");
  lesson.exchanges = {{"What is in the thermal image?", scene.name}};
  lesson.captions = {data::warm_phrase_of(scene)};
  lesson.label = scene.name;
  add_thing(scene, lesson);
}

void show_depth(const AlignedScene& scene, Lesson& lesson) {
  const modality::DepthPicture depth{scene.picture.width, scene.picture.height, scene.distance_m};
  lesson.recording = shared(modality::depth_recording(depth));
  lesson.label = scene.name;
  for (const data::QuestionAnswer& qa : data::depth_questions(scene))
    lesson.exchanges.push_back({qa.question, qa.answer});
  constexpr std::string_view kNearest = "nearest ";
  for (const std::string& fact : lesson.recording->facts) {
    if (fact.starts_with(kNearest))
      lesson.exchanges.push_back(
          {"Which part of the scene is nearest to the camera (3x3 grid)?", fact.substr(kNearest.size())});
  }
}

modality::Recording heard(const AlignedScene& scene, std::span<const modality::Recording::Span> film) {
  const std::string wav = media::encode_wav(scene.sound);
  return modality::hear(*media::read_audio_bytes(media::as_byte_span(wav)).value(), film);
}

void play_sound(const AlignedScene& scene, Lesson& lesson) {
  lesson.recording = shared(heard(scene, {}));
  lesson.label = scene.name;
  lesson.exchanges = {{"What do you hear?", scene.name}};
}

void show_film(const AlignedScene& scene, Lesson& lesson) {
  lesson.recording = shared(modality::film_recording(scene.film, data::kAlignedSeconds));
  lesson.label = scene.thing_motion;
  lesson.traits = {scene.moves() ? "motion" : "no motion"};
  lesson.captions = {data::story_of(scene)};
  lesson.exchanges = {{"What happens in the video?", data::story_of(scene)},
                      {"Does anything move in the video?", scene.moves() ? "yes" : "no"}};
}

void feel_motion(const AlignedScene& scene, Lesson& lesson) {
  lesson.recording = shared(modality::motion_recording({scene.motion}));
  lesson.label = scene.camera_motion;
  lesson.exchanges = {{"How does the camera move?", scene.camera_motion}};
}

// What is in the scene, to all senses that can tell; or what happens in the film, and what is heard in it.
void show_together(const AlignedScene& scene, int64_t index, Lesson& lesson) {
  models::ChatMessage asked{.role = "user", .parts = {}}, said{.role = "assistant", .parts = {}};
  if (index % 2 == 0) {
    Lesson depth;
    show_depth(scene, depth);
    asked.parts = {{.image = std::make_shared<const media::Image>(scene.picture)},
                   {.image = std::make_shared<const media::Image>(modality::relative_heat(scene.heat)),
                    .picture = modality::find_picture_kind("thermal")},
                   {.recording = depth.recording},
                   {.recording = shared(heard(scene, {}))},
                   {.text = "What is it?"}};
    said.parts = {{.text = scene.name}};
  } else {
    const auto film = shared(modality::film_recording(scene.film, data::kAlignedSeconds));
    modality::Recording sound = heard(scene, film->spans);
    sound.sound_track = true;
    asked.parts = {{.recording = film}, {.recording = shared(std::move(sound))}, {.text = "What is in the video?"}};
    said.parts = {{.text = scene.name}};
  }
  lesson.turns = {std::move(asked), std::move(said)};
}

struct SceneView {
  void (*show)(const AlignedScene& scene, Lesson& lesson);
  data::AlignedFilm film = data::AlignedFilm::leave_out;
};
constexpr std::array<SceneView, 6> kViews = {
    {{show_picture}, {show_heat}, {show_depth}, {play_sound}, {show_film, data::AlignedFilm::draw}, {feel_motion}}};

class AlignedSource : public LessonSource {
 public:
  AlignedSource(const SetRecipe& set, uint64_t seed, int64_t lessons)
      : set_(set), seed_(seed), size_(lessons), together_(set.world == kTogetherWorld) {}

  int64_t size() const override { return size_; }

  Lesson get(int64_t index) const override {
    if (together_) {
      Lesson lesson;
      const auto film = index % 2 == 0 ? data::AlignedFilm::leave_out : data::AlignedFilm::draw;
      show_together(data::generate_aligned_scene(seed_, static_cast<uint64_t>(index), film), index, lesson);
      return lesson;
    }
    const auto views = static_cast<int64_t>(kViews.size());
    Lesson lesson;
    const SceneView& view = kViews[static_cast<size_t>(index % views)];
    view.show(data::generate_aligned_scene(seed_, static_cast<uint64_t>(index / views), view.film), lesson);
    lesson.boxes_known = lesson.boxes_known && !set_.objects.empty();
    if (lesson.image && !set_.scene.empty()) lesson.label.clear();
    return lesson;
  }
  Lesson get_words(int64_t index) const override {
    Lesson lesson = get(index);
    lesson.image.reset();
    lesson.recording.reset();
    for (models::ChatMessage& turn : lesson.turns)
      std::erase_if(turn.parts, [](const models::ChatPart& part) { return part.image || part.recording; });
    return lesson;
  }
  int64_t word_lessons() const override { return std::min(size_, kLooks); }

  void collect_names(std::set<std::string>& labels, std::set<std::string>& objects) const override {
    objects.insert(set_.objects.begin(), set_.objects.end());
    if (set_.scene.empty()) labels.insert(data::aligned_things().begin(), data::aligned_things().end());
  }
  void collect_recorded(std::map<std::string, std::set<std::string>>& labels) const override {
    for (const char* sense : {"audio", "depth"})
      labels[sense].insert(data::aligned_things().begin(), data::aligned_things().end());
    labels["video"].insert(data::thing_motions().begin(), data::thing_motions().end());
    labels["video"].insert({"motion", "no motion"});
    labels["imu"].insert(data::camera_motions().begin(), data::camera_motions().end());
  }

 private:
  SetRecipe set_;
  uint64_t seed_;
  int64_t size_;
  bool together_;
};

}  // namespace

std::unique_ptr<LessonSource> open_aligned_source(const SetRecipe& set, uint64_t seed, int64_t lessons) {
  return std::make_unique<AlignedSource>(set, seed, lessons);
}

}  // namespace sensorium::train
