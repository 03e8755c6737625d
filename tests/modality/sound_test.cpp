#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "modality/audio/prepare.h"
#include "modality/senses.h"

namespace sensorium::modality {
namespace {

// A tone of a pitch that may change at `change_s`, read piece by piece and kept nowhere.
class Tone : public media::AudioReader {
 public:
  Tone(double seconds, double hz, int rate = 16'000, int channels = 1, double change_s = 1e9, double later_hz = 0)
      : left_(static_cast<int64_t>(std::llround(seconds * rate))), hz_(hz), change_s_(change_s), later_hz_(later_hz) {
    info_.sample_rate_hz = rate;
    info_.channels = channels;
  }
  const media::AudioInfo& info() const override { return info_; }
  int64_t read(std::span<float> samples) override {
    const int64_t count = std::min(left_, static_cast<int64_t>(samples.size()) / info_.channels);
    for (int64_t i = 0; i < count; ++i, ++at_) {
      const double time = static_cast<double>(at_) / info_.sample_rate_hz;
      const double hz = time < change_s_ ? hz_ : later_hz_;
      for (int c = 0; c < info_.channels; ++c) {
        samples[static_cast<size_t>(i * info_.channels + c)] =
            static_cast<float>(0.3 * std::sin(2 * std::numbers::pi * hz * time));
      }
    }
    left_ -= count;
    return count;
  }

 private:
  media::AudioInfo info_;
  int64_t left_, at_ = 0;
  double hz_, change_s_, later_hz_;
};

int64_t loudest_band(const Tensor& mel_TC, int64_t frame) {
  const float* row = mel_TC.data<float>() + frame * mel_TC.dim(1);
  return std::max_element(row, row + mel_TC.dim(1)) - row;
}
// Of 64 bands between 20 and 8000 Hz on Kaldi's scale.
double band_of(double hz) {
  const auto mel = [](double f) { return 1127 * std::log1p(f / 700); };
  return (mel(hz) - mel(20)) / (mel(8000) - mel(20)) * 65 - 1;
}

TEST(Hear, ATonePutsItsEnergyIntoItsBandAtAnyRate) {
  for (const int rate : {16'000, 8'000, 44'100}) {
    for (const int channels : {1, 2}) {
      Tone tone(1.0, 1000, rate, channels);
      const Recording recording = hear(tone);
      ASSERT_EQ(recording.windows.size(), 1u);
      EXPECT_EQ(recording.sense, &sense_kind("audio"));
      EXPECT_DOUBLE_EQ(recording.seconds, 1.0);
      const Tensor& mel_TC = recording.windows[0];
      EXPECT_EQ(mel_TC.shape(), Shape({98, kSoundBands})) << rate;
      EXPECT_NEAR(static_cast<double>(loudest_band(mel_TC, 50)), band_of(1000), 1) << rate << " Hz";
    }
  }
}

TEST(Hear, LongSoundsInWindowsOfWhichTheLastEndsWithTheSound) {
  Tone tone(25, 500, 16'000, 1, 24.0, 3000);
  const Recording recording = hear(tone);
  ASSERT_EQ(recording.windows.size(), 3u);
  for (const Tensor& window : recording.windows) EXPECT_EQ(window.dim(0), 998);
  EXPECT_NEAR(static_cast<double>(loudest_band(recording.windows[1], 900)), band_of(500), 1);
  // 15 to 25 s: the last second is the high tone.
  EXPECT_NEAR(static_cast<double>(loudest_band(recording.windows[2], 850)), band_of(500), 1);
  EXPECT_NEAR(static_cast<double>(loudest_band(recording.windows[2], 950)), band_of(3000), 1);
  Tone exact(20, 500);
  EXPECT_EQ(hear(exact).windows.size(), 2u);
}

// What is heard during the windows of a film: each window's own seconds, of a long one the middle, and silence behind the sound's end.
TEST(Hear, TheSoundOfAFilmInItsWindows) {
  const std::vector<Recording::Span> film = {{0, 2}, {2, 4}, {3.5, 5.5}, {0, 30}};
  Tone tone(5, 500, 22'050, 2, 2.0, 3000);
  const Recording recording = hear(tone, film);
  ASSERT_EQ(recording.windows.size(), 1u);
  ASSERT_EQ(recording.beside_film.size(), 4u);
  for (const size_t w : {0, 1, 2}) EXPECT_EQ(recording.beside_film[w].dim(0), 198);
  EXPECT_NEAR(static_cast<double>(loudest_band(recording.beside_film[0], 195)), band_of(500), 1);
  EXPECT_NEAR(static_cast<double>(loudest_band(recording.beside_film[1], 2)), band_of(3000), 1);
  const auto loudness = [&](size_t window, int64_t frame) {
    const Tensor& mel_TC = recording.beside_film[window];
    return mel_TC.data<float>()[frame * kSoundBands + loudest_band(mel_TC, frame)];
  };
  EXPECT_GT(loudness(2, 140), loudness(2, 160) + 5) << "the sound ends after 1.5 s of this window";
  EXPECT_EQ(recording.beside_film[3].dim(0), 998) << "10 s of 30";
  Tone alone(1, 500);
  EXPECT_TRUE(hear(alone).beside_film.empty());
}

TEST(Hear, HoursOfSoundBecomeAFewWindows) {
  Tone tone(2 * 3600, 440, 1'000);
  const Recording recording = hear(tone);
  EXPECT_LE(recording.windows.size(), WindowSampler::kMost);
  EXPECT_DOUBLE_EQ(recording.seconds, 7200);
}

TEST(Hear, TooShort) {
  Tone tone(0.05, 500);
  try {
    hear(tone);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_data);
    EXPECT_EQ(error.message(), "a sound of 50 ms; at least 100 ms are needed to hear anything");
  }
}

TEST(SoundSignal, LevelContrastAndPlace) {
  Tensor mel_TC = Tensor::full({40, 4}, -6);
  mel_TC.data<float>()[10 * 4 + 2] = -1;  // frame 10, band 2
  const Signal signal = sound_signal(mel_TC);
  EXPECT_EQ(signal.height, 4);
  EXPECT_EQ(signal.width, 40);
  EXPECT_EQ(signal.channels, 3);
  EXPECT_FLOAT_EQ(signal.at(2, 10, 0), 1);
  EXPECT_FLOAT_EQ(signal.at(2, 11, 0), 0);
  EXPECT_FLOAT_EQ(signal.at(2, 10, 1), (5 - 5.0f / 40) / 3);
  EXPECT_FLOAT_EQ(signal.at(0, 10, 1), 0);
  EXPECT_FLOAT_EQ(signal.at(0, 0, 2), -0.75f);
  EXPECT_FLOAT_EQ(signal.at(3, 0, 2), 0.75f);
}

TEST(SoundSignal, ShortWindowsAreFilledUpWithTheQuietestLevel) {
  Tensor mel_TC = Tensor::full({8, 2}, -1);
  mel_TC.data<float>()[0] = -11;
  const Signal signal = sound_signal(mel_TC);
  EXPECT_EQ(signal.width, 32);
  EXPECT_FLOAT_EQ(signal.at(0, 0, 0), -1);   // filled
  EXPECT_FLOAT_EQ(signal.at(0, 12, 0), -1);  // the first frame itself
  EXPECT_FLOAT_EQ(signal.at(0, 13, 0), 1);
  EXPECT_FLOAT_EQ(signal.at(1, 31, 0), 1);
}

}  // namespace
}  // namespace sensorium::modality
