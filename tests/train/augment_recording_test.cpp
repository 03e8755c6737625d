#include "train/augment_recording.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models/tiny_senses.h"

namespace sensorium::train {
namespace {

using models::tiny_motion;
using models::tiny_sound;

std::vector<float> floats(const Tensor& tensor) { return tensor.to_floats(); }

TEST(AugmentRecording, PoliciesBelongToTheirSense) {
  const modality::Recording sound = tiny_sound(1, 20), motion = tiny_motion(1, 2);
  Rng rng(1);
  EXPECT_EQ(floats(augment_recording(sound.windows[0], *sound.sense, "none", rng)), floats(sound.windows[0]));
  EXPECT_EQ(floats(augment_recording(motion.windows[0], *motion.sense, "none", rng)), floats(motion.windows[0]));
  EXPECT_TRUE(is_recording_policy("speech"));
  EXPECT_FALSE(is_recording_policy("photo"));
  EXPECT_EQ(error_of([&] { augment_recording(sound.windows[0], *sound.sense, "motion", rng); }).message(),
            "the augmentation \"motion\" is not for a sound: sound, speech, none");
  EXPECT_EQ(error_of([&] { augment_recording(motion.windows[0], *motion.sense, "photo", rng); }).message(),
            "the augmentation \"photo\" is not for a recording of motion sensors: motion, none");
}

TEST(AugmentRecording, ChangesWithTheSeedAndLeavesTheOriginalAlone) {
  for (const auto& [recording, policy] :
       {std::pair(tiny_sound(1, 20), "sound"), {tiny_sound(1, 20), "speech"}, {tiny_motion(1, 2), "motion"}}) {
    const std::vector<float> before = floats(recording.windows[0]);
    std::set<std::vector<float>> seen;
    for (uint64_t seed = 1; seed <= 40; ++seed) {
      Rng rng(seed), again(seed);
      const Tensor changed = augment_recording(recording.windows[0], *recording.sense, policy, rng);
      EXPECT_EQ(floats(changed), floats(augment_recording(recording.windows[0], *recording.sense, policy, again)));
      for (const float value : floats(changed)) ASSERT_TRUE(std::isfinite(value)) << policy << " " << seed;
      EXPECT_EQ(changed.dim(1), recording.windows[0].dim(1));
      seen.insert(floats(changed));
    }
    EXPECT_EQ(seen.size(), 40u) << policy;
    EXPECT_EQ(floats(recording.windows[0]), before) << policy;
  }
}

// The energy stays near its band, and most of it in time.
TEST(AugmentRecording, ASoundKeepsItsPitchNearly) {
  const modality::Recording sound = tiny_sound(1, 30, 200);
  int near = 0;
  constexpr int kSeeds = 60;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Rng rng(seed);
    const Tensor changed = augment_recording(sound.windows[0], *sound.sense, "speech", rng);
    std::vector<double> energy(64);
    for (int64_t t = 0; t < changed.dim(0); ++t) {
      for (size_t band = 0; band < 64; ++band)
        energy[band] += std::exp(changed.data<float>()[t * 64 + static_cast<int64_t>(band)]);
    }
    const auto loudest = std::max_element(energy.begin(), energy.end()) - energy.begin();
    near += std::abs(static_cast<int>(loudest) - 30) <= 6 ? 1 : 0;
    EXPECT_GE(changed.dim(0), 200 * 0.95 / 1.2 - 1);
    EXPECT_LE(changed.dim(0), 200 * 1.2 + 200 * 0.3 + 1);
  }
  EXPECT_GE(near, kSeeds * 9 / 10) << "now and then a mask hides the band";
}

// Turning a sensor changes neither vector's length, but for gain and noise.
TEST(AugmentRecording, AMotionKeepsItsStrength) {
  const modality::Recording motion = tiny_motion(3, 0);
  double turned = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    const Tensor changed = augment_recording(motion.windows[0], *motion.sense, "motion", rng);
    for (int64_t t = 0; t < changed.dim(0); ++t) {
      const float* v = changed.data<float>() + t * modality::kMotionAxes;
      EXPECT_NEAR(std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), 9.81, 9.81 * 0.1 + 0.9);
      turned = std::max(turned, static_cast<double>(std::abs(v[0])));
    }
  }
  EXPECT_GT(turned, 1) << "at 20 degrees gravity has 3.4 m/s^2 beside its axis";
}

}  // namespace
}  // namespace sensorium::train
