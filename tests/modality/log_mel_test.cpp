#include "modality/audio/log_mel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "golden_audio.h"

namespace sensorium::modality {
namespace {

void expect_golden(const Tensor& mel, const std::string& name, double tolerance) {
  const Json shape = golden_audio_index()["arrays"][name];
  ASSERT_EQ(mel.dim(0), shape[0]) << name;
  ASSERT_EQ(mel.dim(1), shape[1]) << name;
  const std::vector<float> expected = golden_audio_array(name);
  const std::span<float> values = mel.span<float>();
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(values[i], expected[i], tolerance) << name << " at " << i;
}

std::vector<float> tone(double hz, int64_t samples) {
  std::vector<float> wave;
  for (int64_t i = 0; i < samples; ++i) {
    wave.push_back(static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / 16'000)));
  }
  return wave;
}

int64_t loudest_bin(const Tensor& mel, int64_t frame) {
  const std::span<float> row =
      mel.span<float>().subspan(static_cast<size_t>(frame * mel.dim(1)), static_cast<size_t>(mel.dim(1)));
  return std::max_element(row.begin(), row.end()) - row.begin();
}

TEST(GoldenLogMel, KaldiAsTorchaudio) {
  const std::vector<float> mono = golden_audio_array("mono");
  for (const int bins : {80, 128}) {
    expect_golden(kaldi_log_mel(mono, {.bins = bins}), "kaldi_" + std::to_string(bins), 2e-3);
  }
}

TEST(GoldenLogMel, WhisperAsTransformers) {
  const std::vector<float> mono = golden_audio_array("mono");
  for (const int bins : {80, 128}) {
    expect_golden(whisper_log_mel(mono, {.bins = bins}), "whisper_" + std::to_string(bins), 1e-4);
  }
}

TEST(LogMel, HigherTonesAreInHigherBins) {
  int64_t kaldi_before = -1, whisper_before = -1;
  for (const double hz : {200.0, 500.0, 1'100.0, 2'500.0, 6'000.0}) {
    const std::vector<float> wave = tone(hz, 4'000);
    const int64_t kaldi = loudest_bin(kaldi_log_mel(wave), 10), whisper = loudest_bin(whisper_log_mel(wave), 10);
    EXPECT_GT(kaldi, kaldi_before) << hz;
    EXPECT_GT(whisper, whisper_before) << hz;
    kaldi_before = kaldi, whisper_before = whisper;
  }
}

TEST(LogMel, SilenceIsTheFloorAndFinite) {
  const std::vector<float> silence(4'000, 0.0f);
  for (const float value : kaldi_log_mel(silence).span<float>()) ASSERT_FLOAT_EQ(value, std::log(1.1920929e-07f));
  for (const float value : whisper_log_mel(silence).span<float>()) ASSERT_FLOAT_EQ(value, -1.5f);
}

TEST(LogMel, FramesAreCountedAsTheReferencesDo) {
  EXPECT_EQ(kaldi_log_mel(tone(440, 400)).dim(0), 1);
  EXPECT_EQ(kaldi_log_mel(tone(440, 559)).dim(0), 1);
  EXPECT_EQ(kaldi_log_mel(tone(440, 560)).dim(0), 2);
  EXPECT_EQ(whisper_log_mel(tone(440, 16'000)).dim(0), 100);
}

TEST(LogMel, TooShortOrNonsenseIsRefused) {
  EXPECT_THROW((void)kaldi_log_mel(tone(440, 399)), Error);
  EXPECT_THROW((void)kaldi_log_mel({}), Error);
  EXPECT_THROW((void)whisper_log_mel(tone(440, 200)), Error);
  EXPECT_THROW((void)kaldi_log_mel(tone(440, 4'000), {.bins = 0}), Error);
  EXPECT_THROW((void)kaldi_log_mel(tone(440, 4'000), {.low_hz = 9'000}), Error);
  EXPECT_THROW((void)whisper_log_mel(tone(440, 4'000), {.fft_size = 401}), Error);
}

}  // namespace
}  // namespace sensorium::modality
