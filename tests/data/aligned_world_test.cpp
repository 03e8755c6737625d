#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "data/dataset.h"
#include "data/temp_folder.h"
#include "data/world/aligned/aligned.h"
#include "data/world/aligned/voices.h"

namespace sensorium::data {
namespace {

TEST(AlignedWorld, TheSameSceneIsAlwaysTheSame) {
  const AlignedScene a = generate_aligned_scene(3, 5), b = generate_aligned_scene(3, 5);
  EXPECT_EQ(a.picture, b.picture);
  EXPECT_EQ(a.film, b.film);
  EXPECT_EQ(a.sound.samples, b.sound.samples);
  EXPECT_EQ(a.motion, b.motion);
  EXPECT_EQ(a.heat, b.heat);
  const AlignedScene unfilmed = generate_aligned_scene(3, 5, AlignedFilm::leave_out);
  EXPECT_TRUE(unfilmed.film.empty());
  EXPECT_EQ(aligned_files(unfilmed).size() + kAlignedFrames, aligned_files(a).size());
  EXPECT_EQ(unfilmed.picture, a.picture);
  EXPECT_EQ(unfilmed.heat.pixels, a.heat.pixels);
  EXPECT_EQ(unfilmed.sound.samples, a.sound.samples);
  EXPECT_EQ(unfilmed.motion, a.motion);
  EXPECT_NE(a.picture, generate_aligned_scene(3, 6).picture);
  EXPECT_NE(a.picture, generate_aligned_scene(4, 5).picture);
}

TEST(AlignedWorld, EverySenseHasItsSize) {
  const AlignedScene scene = generate_aligned_scene(1, 0);
  EXPECT_EQ(scene.film.size(), size_t{kAlignedFrames});
  EXPECT_EQ(scene.film.front(), scene.picture);
  EXPECT_EQ(scene.distance_m.size(), scene.heat.pixels.size());
  EXPECT_EQ(scene.heat.width, scene.picture.width);
  EXPECT_DOUBLE_EQ(scene.sound.duration_s(), kAlignedSeconds);
  EXPECT_EQ(scene.motion.size(), size_t{600});
  EXPECT_EQ(media::to_mono(scene.sound).samples, scene.sound.samples);
}

TEST(AlignedWorld, ThingsAndMotionsAllCome) {
  std::set<std::string> things, motions, cameras;
  int moving = 0;
  for (uint64_t i = 0; i < 60; ++i) {
    const AlignedScene scene = generate_aligned_scene(1, i);
    things.insert(scene.name);
    motions.insert(scene.thing_motion);
    cameras.insert(scene.camera_motion);
    moving += scene.moves() ? 1 : 0;
  }
  EXPECT_EQ(things.size(), aligned_things().size());
  EXPECT_EQ(motions.size(), thing_motions().size());
  EXPECT_EQ(cameras.size(), camera_motions().size());
  EXPECT_GT(moving, 30);
  EXPECT_LT(moving, 60);
}

// What one sense shows is where the others show it.
TEST(AlignedWorld, TheBoxIsNearWarmAndAlignedInAllPictures) {
  for (uint64_t i = 0; i < 40; ++i) {
    const AlignedScene scene = generate_aligned_scene(7, i);
    ASSERT_LT(scene.box[0], scene.box[2]);
    const auto x = static_cast<int>((scene.box[0] + scene.box[2]) / 2), width = scene.picture.width;
    float nearest = 100;
    for (size_t p = 0; p < scene.distance_m.size(); ++p) {
      const int column = static_cast<int>(p) % width, row = static_cast<int>(p) / width;
      const bool inside = static_cast<float>(column) >= scene.box[0] - 1 &&
                          static_cast<float>(column) <= scene.box[2] && static_cast<float>(row) >= scene.box[1] - 1 &&
                          static_cast<float>(row) <= scene.box[3];
      nearest = std::min(nearest, scene.distance_m[p]);
      if (!inside) {
        EXPECT_FLOAT_EQ(scene.distance_m[p], 9) << "scene " << i << " at " << column << ", " << row;
      }
    }
    EXPECT_LT(nearest, 5);
    EXPECT_GT(x, 0);
    // As warm as the thing where it is near, as the room elsewhere.
    double near_heat = 0, far_heat = 0;
    int near_pixels = 0, far_pixels = 0;
    for (size_t p = 0; p < scene.distance_m.size(); ++p) {
      const bool near = scene.distance_m[p] == nearest;
      (near ? near_heat : far_heat) += scene.heat.pixels[p];
      ++(near ? near_pixels : far_pixels);
    }
    EXPECT_NEAR(far_heat / far_pixels / 100 - 273.15, 18, 0.1);
    if (scene.name == "car") {
      EXPECT_GT(near_heat / near_pixels / 100 - 273.15, 60);
    }
    if (scene.name == "fish") {
      EXPECT_LT(near_heat / near_pixels / 100 - 273.15, 17);
    }
  }
}

TEST(AlignedWorld, DepthTellsWhatIsNearestAndHowFar) {
  int of_the_middle = 0;
  for (uint64_t i = 0; i < 40; ++i) {
    const AlignedScene scene = generate_aligned_scene(7, i, AlignedFilm::leave_out);
    const std::vector<QuestionAnswer> questions = depth_questions(scene);
    ASSERT_GE(questions.size(), 2u);
    EXPECT_EQ(questions[0].answer, scene.name);
    EXPECT_FLOAT_EQ(scene.thing_distance_m, *std::ranges::min_element(scene.distance_m));
    EXPECT_NEAR(std::stod(questions[1].answer), scene.thing_distance_m, 0.0501);
    if (questions.size() == 2) continue;
    ++of_the_middle;
    const size_t middle = scene.distance_m.size() / 2 + static_cast<size_t>(scene.picture.width) / 2;
    EXPECT_NEAR(std::stod(questions[2].answer), scene.distance_m[middle], 0.0501);
  }
  EXPECT_GT(of_the_middle, 20);
  EXPECT_LT(of_the_middle, 40) << "an edge goes through some middles";
}

TEST(AlignedWorld, FilmsDoWhatTheySay) {
  for (uint64_t i = 0; i < 40; ++i) {
    const AlignedScene scene = generate_aligned_scene(9, i);
    const bool changes = scene.film.front() != scene.film.back();
    EXPECT_EQ(changes, scene.moves()) << story_of(scene);
  }
}

TEST(AlignedWorld, TheCameraFeelsItsOwnMotion) {
  const auto mean_turn = [](const AlignedScene& scene) {
    double sum = 0;
    for (size_t i = 4; i < scene.motion.size(); i += 6) sum += scene.motion[i];
    return sum / 100;
  };
  for (uint64_t i = 0; i < 40; ++i) {
    const AlignedScene scene = generate_aligned_scene(11, i);
    if (scene.camera_motion == "pans left") {
      EXPECT_GT(mean_turn(scene), 0.2);
    }
    if (scene.camera_motion == "pans right") {
      EXPECT_LT(mean_turn(scene), -0.2);
    }
    if (scene.camera_motion == "still") {
      EXPECT_NEAR(mean_turn(scene), 0, 0.02);
    }
  }
}

// Things are told apart by their voices: crossings of zero and how the loudness changes, of any two of them.
TEST(AlignedWorld, VoicesDiffer) {
  const auto crossings = [](const std::vector<float>& sound) {
    int count = 0;
    for (size_t i = 1; i < sound.size(); ++i) count += (sound[i] > 0) != (sound[i - 1] > 0) ? 1 : 0;
    return count;
  };
  std::vector<int> seen;
  for (size_t thing = 0; thing < aligned_things().size(); ++thing) {
    Rng rng(1);
    const std::vector<float> sound = make_voice(thing, 32'000, 16'000, rng);
    float loudest = 0;
    for (const float sample : sound) loudest = std::max(loudest, std::abs(sample));
    EXPECT_LE(loudest, 1);
    EXPECT_GT(loudest, 0.05f) << aligned_things()[thing];
    EXPECT_NE(sound, make_voice(thing, 32'000, 16'000, rng)) << "no two are alike";
    seen.push_back(crossings(sound));
  }
  EXPECT_EQ(std::set<int>(seen.begin(), seen.end()).size(), seen.size());
}

class AlignedSet : public TempFolder {};

TEST_F(AlignedSet, IsValidAndComplete) {
  const WorldDatasetReport report = write_aligned_dataset(folder_, "train", 10, 3, 1);
  EXPECT_EQ(report.samples, 3u);
  EXPECT_GT(report.bytes, 100'000u);
  const ValidationReport checked = validate_dataset(folder_ / "train.jsonl", 10, PictureCheck::decode);
  EXPECT_EQ(checked.records, 18);
  EXPECT_EQ(checked.faulty, 0) << checked.faults.front().what;
  EXPECT_TRUE(checked.ignored_fields.empty());
  std::map<PartKind, int> kinds;
  const auto set = open_dataset(folder_ / "train.jsonl");
  for (int64_t i = 0; i < set->size(); ++i) {
    ++kinds[set->get(i).media.front().kind];
    EXPECT_FALSE(set->get(i).questions.empty()) << "line " << i + 1;
  }
  EXPECT_EQ(kinds.size(), 6u);
  for (const auto& [kind, count] : kinds) EXPECT_EQ(count, 3) << field_name(kind);
  EXPECT_THROW(write_aligned_dataset(folder_, "../evil", 0, 1, 1), Error);
  EXPECT_THROW(write_aligned_dataset(folder_, "none", 0, 0, 1), Error);
}

}  // namespace
}  // namespace sensorium::data
