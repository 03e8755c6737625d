#include "media/audio.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "golden_audio.h"
#include "media/resample.h"

namespace sensorium::media {
namespace {

namespace fs = std::filesystem;

Audio tone(int rate, int channels, int64_t frames) {
  Audio audio{rate, channels, {}};
  for (int64_t i = 0; i < frames * channels; ++i) {
    audio.samples.push_back(0.5f * std::sin(0.01f * static_cast<float>(i / channels)) *
                            (i % channels == 0 ? 1.0f : -0.5f));
  }
  return audio;
}

std::string error_of(const std::string& bytes) {
  Result<std::unique_ptr<AudioReader>> reader = read_audio_bytes(as_byte_span(bytes));
  if (!reader) return reader.error().message();
  try {
    (void)read_whole(*reader.value());
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(GoldenAudio, FilesGiveLibsndfilesSamples) {
  const Json index = golden_audio_index();
  ASSERT_GE(index["files"].size(), 8u);
  for (const Json& entry : index["files"]) {
    const auto name = entry["file"].get<std::string>();
    const Audio audio = load_audio(golden_audio_folder() / name);
    EXPECT_EQ(audio.sample_rate_hz, entry["sample_rate_hz"]) << name;
    EXPECT_EQ(audio.channels, 2) << name;
    EXPECT_EQ(audio.samples, golden_audio_array(entry["array"].get<std::string>())) << name;
  }
}

TEST(GoldenAudio, ResamplesAsTorchaudio) {
  const Audio mono{16'000, 1, golden_audio_array("mono")};
  for (const int rate : {8'000, 22'050, 44'100, 48'000}) {
    const std::vector<float> expected = golden_audio_array("resample_" + std::to_string(rate));
    const Audio result = resample(mono, rate);
    EXPECT_EQ(result.sample_rate_hz, rate);
    ASSERT_EQ(result.samples.size(), expected.size()) << rate;
    // torchaudio rounds the phases of its filters to f32.
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(result.samples[i], expected[i], 2e-5) << rate << " at " << i;
  }
}

TEST(Audio, WavComesBackToHalfAStep) {
  const Audio audio = tone(22'050, 2, 1'000);
  const std::string bytes = encode_wav(audio);
  Result<std::unique_ptr<AudioReader>> reader = read_audio_bytes(as_byte_span(bytes));
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  EXPECT_EQ(reader.value()->info().format, "WAV");
  EXPECT_EQ(reader.value()->info().frames, 1'000);
  const Audio back = read_whole(*reader.value());
  ASSERT_EQ(back.samples.size(), audio.samples.size());
  for (size_t i = 0; i < back.samples.size(); ++i) ASSERT_NEAR(back.samples[i], audio.samples[i], 0.5f / 32768) << i;
}

TEST(Audio, LoudSamplesAreClipped) {
  const std::string bytes = encode_wav({8'000, 1, {2.0f, -2.0f, 1.0f, -1.0f}});
  const Audio back = read_whole(*read_audio_bytes(as_byte_span(bytes)).value());
  EXPECT_EQ(back.samples, (std::vector<float>{32767.0f / 32768, -1.0f, 32767.0f / 32768, -1.0f}));
}

TEST(Audio, ReadsPieceByPiece) {
  const Audio audio = tone(16'000, 2, 1'000);
  const std::string bytes = encode_wav(audio);
  const std::unique_ptr<AudioReader> reader = read_audio_bytes(as_byte_span(bytes)).value();
  std::vector<float> block(2 * 300);
  std::vector<int64_t> pieces;
  while (const int64_t got = reader->read(block)) pieces.push_back(got);
  EXPECT_EQ(pieces, (std::vector<int64_t>{300, 300, 300, 100}));
}

TEST(Audio, MonoIsTheMeanOfTheChannels) {
  const Audio mono = to_mono({8'000, 2, {1.0f, 0.0f, 0.5f, -0.5f, 0.25f, 0.75f}});
  EXPECT_EQ(mono.channels, 1);
  EXPECT_EQ(mono.samples, (std::vector<float>{0.5f, 0.0f, 0.5f}));
}

TEST(Audio, EveryCutOfAWavIsRefused) {
  const std::string bytes = encode_wav(tone(8'000, 1, 200));
  for (size_t length = 0; length < bytes.size(); ++length) {
    ASSERT_NE(error_of(bytes.substr(0, length)), "") << length;
  }
  EXPECT_EQ(error_of(bytes), "");
}

TEST(Audio, EveryCutOfAFlacIsRefused) {
  const std::string bytes = read_file(golden_audio_folder() / "flac16.flac");
  for (size_t length = 0; length + 1 < bytes.size(); length += 61) {
    ASSERT_NE(error_of(bytes.substr(0, length)), "") << length;
  }
}

TEST(Audio, FlippedBitsNeverCrash) {
  for (const char* name : {"flac16.flac", "pcm24.wav", "extensible.wav", "ulaw.wav"}) {
    const std::string bytes = read_file(golden_audio_folder() / name);
    for (size_t at = 0; at < std::min<size_t>(bytes.size(), 400); ++at) {
      for (const int bit : {0, 3, 7}) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
        (void)error_of(damaged);
      }
    }
  }
}

TEST(Audio, NonsenseIsRefused) {
  EXPECT_NE(error_of(encode_wav({8'000, 1, {}})).find("without a single sample"), std::string::npos);
  Audio silent = tone(8'000, 1, 10);
  std::string zero_rate = encode_wav(silent);
  std::memset(zero_rate.data() + 24, 0, 4);
  EXPECT_NE(error_of(zero_rate), "");
  std::string no_channels = encode_wav(silent);
  std::memset(no_channels.data() + 22, 0, 2);
  EXPECT_NE(error_of(no_channels), "");

  std::string not_finite = read_file(golden_audio_folder() / "float32.wav");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(not_finite.data() + not_finite.size() - 400, &nan, sizeof(nan));
  EXPECT_NE(error_of(not_finite).find("not a finite number"), std::string::npos);
}

TEST(Audio, LimitsAreKept) {
  const std::string bytes = encode_wav(tone(8'000, 2, 100));
  const std::unique_ptr<AudioReader> reader = read_audio_bytes(as_byte_span(bytes)).value();
  try {
    (void)read_whole(*reader, {.max_samples = 199});
    FAIL() << "read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::limit);
  }
  const auto channels = read_audio_bytes(as_byte_span(bytes), {.max_channels = 1});
  ASSERT_FALSE(channels.ok());
  EXPECT_EQ(channels.error().kind(), ErrorKind::limit);
}

TEST(Audio, FilesThatAreNoSoundAreNamed) {
  const fs::path folder = fs::path(testing::TempDir()) / "audio_test";
  fs::create_directories(folder);
  write_file_atomic(folder / "empty.wav", "");
  write_file_atomic(folder / "text.mp3", "this is not a sound at all, whatever its name says\n");
  for (const char* name : {"empty.wav", "text.mp3", "missing.flac"}) {
    try {
      (void)load_audio(folder / name);
      ADD_FAILURE() << name << " was read";
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
    }
  }
  fs::remove_all(folder);
}

TEST(Resample, KeepsAToneAndItsLength) {
  Audio audio{8'000, 2, {}};
  for (int i = 0; i < 8'000; ++i) {
    const auto value = static_cast<float>(std::sin(2 * 3.14159265358979 * 440 * i / 8'000));
    audio.samples.push_back(value);
    audio.samples.push_back(-value);
  }
  const Audio up = resample(audio, 11'025);
  ASSERT_EQ(up.frames(), 11'025);
  for (int i = 200; i < 10'800; ++i) {  // away from the ends, where the filter sees silence
    const double expected = std::sin(2 * 3.14159265358979 * 440 * i / 11'025);
    ASSERT_NEAR(up.samples[static_cast<size_t>(2 * i)], expected, 3e-3) << i;
    ASSERT_EQ(up.samples[static_cast<size_t>(2 * i + 1)], -up.samples[static_cast<size_t>(2 * i)]);
  }
  EXPECT_EQ(resample(audio, 8'000).samples, audio.samples);
}

TEST(Resample, RefusesWhatIsOutOfProportion) {
  EXPECT_THROW((void)resample(tone(8'000, 1, 10), 0), Error);
  EXPECT_THROW((void)resample(tone(44'101, 1, 10), 767'999), Error);
}

}  // namespace
}  // namespace sensorium::media
