#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/child_process.h"
#include "media/encode.h"
#include "modality/senses.h"
#include "modality/video/encoder.h"
#include "modality/video/video.h"

namespace sensorium::modality {
namespace {

namespace fs = std::filesystem;

// Frame t is grey of 10 t.
std::vector<media::Image> steps(int count, int width = 32, int height = 48) {
  std::vector<media::Image> frames;
  for (int t = 0; t < count; ++t) frames.emplace_back(width, height, 1, static_cast<uint8_t>(10 * t));
  return frames;
}
int first_level(const Tensor& window, int64_t frame) {
  return window.data<uint8_t>()[frame * window.dim(1) * window.dim(2) * 3];
}

TEST(Film, WindowsOfEightFramesOfWhichTheLastEndsWithTheFilm) {
  const Recording film = film_recording(steps(19, 64, 48), 5);
  EXPECT_EQ(film.sense, &sense_kind("video"));
  EXPECT_EQ(film.seconds, 5);
  ASSERT_EQ(film.windows.size(), 3u);
  for (const Tensor& window : film.windows) EXPECT_EQ(window.shape(), Shape({8, 48, 64, 3}));
  EXPECT_EQ(first_level(film.windows[1], 0), 80);
  EXPECT_EQ(first_level(film.windows[2], 7), 180);
  const Recording brief = film_recording(steps(3, 64, 48), 0.75);
  ASSERT_EQ(brief.windows.size(), 1u);
  EXPECT_EQ(brief.windows[0].dim(0), 3);
}

TEST(Film, FramesKeepToTheBudget) {
  const Recording film = film_recording(steps(2, 1920, 1080), 1);
  EXPECT_EQ(film.windows[0].shape(), Shape({2, 90, 160, 3}));
  const Recording strip = film_recording(steps(1, 4000, 10), 1);
  EXPECT_LE(strip.windows[0].dim(1) * strip.windows[0].dim(2), kFramePrepare.max_pixels);
}

TEST(Film, ASignalHasTheUnitsOfPictures) {
  const Recording film = film_recording(steps(4, 64, 48), 1);
  const Signal signal = film_signal(film.windows[0]);
  EXPECT_EQ(signal.frames, 4);
  EXPECT_EQ(signal.width, 64);
  EXPECT_FLOAT_EQ(signal.values.front(), -2);
  EXPECT_FLOAT_EQ(signal.values.back(), (30 / 255.0f - 0.5f) * 4);
  const Signal* pointer = &signal;
  const PreparedSignals prepared = pack_signals({&pointer, 1}, DType::f32);
  EXPECT_EQ(prepared.sizes.count(), 4u);
  const std::vector<media::Image> frames = frames_of(film.windows[0]);
  const media::Image* last = &frames[3];
  const PreparedImages picture = pack_images({&last, 1}, DType::f32);
  const int64_t pixels = 64 * 48;
  EXPECT_EQ(prepared.values_PC.slice(3 * pixels, 4 * pixels).to_floats(), picture.pixels_P3.to_floats());
}

TEST(Film, WhatIsWrongIsSaid) {
  const auto message = [](std::vector<media::Image> frames) {
    try {
      film_recording(std::move(frames), 1);
    } catch (const Error& error) {
      return std::string(error.message());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(message({}), "a film without frames");
  std::vector<media::Image> mixed = steps(2);
  mixed.emplace_back(20, 20);
  EXPECT_EQ(message(mixed), "frame 3 is 20 x 20, the first one 32 x 48: the frames of a film have one size");
  EXPECT_THROW(load_film("none.mp4"), Error);
  EXPECT_THROW(load_film_frames({}), Error);
}

TEST(CellMeans, AreTheMeansOfEqualParts) {
  // A picture of 2 x 4 and one of 1 x 1, one channel.
  const Tensor x_PC = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9}, {9, 1});
  const Tensor means_MC = cell_means(x_PC, {.heights = {2, 1}, .widths = {4, 1}}, 2);
  EXPECT_EQ(means_MC.to_floats(), (std::vector<float>{1.5f, 3.5f, 5.5f, 7.5f, 9, 9, 9, 9}));
  // Three cells along four positions share the inner ones.
  const Tensor row_PC = Tensor::from(std::vector<float>{1, 2, 3, 4}, {4, 1});
  const Tensor thirds_MC = cell_means(row_PC, {.heights = {1}, .widths = {4}}, 3);
  EXPECT_EQ(thirds_MC.slice(0, 3).to_floats(), (std::vector<float>{1.5f, 2.5f, 3.5f}));
}

class VideoEncoding : public testing::Test {
 protected:
  VideoEncoding() : store_(1) {
    ImageEncoderConfig pictures;
    pictures.stem_channels = {8, 8, 16, 16};
    pictures.stem_blocks = {1, 1, 1};
    pictures.norm_groups = 2;
    pictures.dim = 16;
    pictures.layers = 1;
    pictures.heads = 2;
    pictures.mlp_width = 24;
    eyes_ = ImageEncoder(store_, "image", pictures);
    encoder_ = video_signal_encoder({.cells = 2, .dim = 16, .layers = 1, .heads = 2, .mlp_width = 24})
                   ->make(store_, "video", pictures);
  }
  // A bright square that moves by `speed` pixels a frame.
  static Signal moving(int speed, int frames) {
    std::vector<media::Image> film;
    for (int t = 0; t < frames; ++t) {
      media::Image& frame = film.emplace_back(64, 64, 3, 50);
      for (int y = 20; y < 36; ++y) std::fill_n(frame.at(4 + speed * t, y), 3 * 16, 220);
    }
    return film_signal(film_recording(std::move(film), 1).windows[0]);
  }
  std::vector<float> encode(const std::vector<Signal>& signals) const {
    const NoGrad no_grad;
    std::vector<const Signal*> pointers;
    for (const Signal& signal : signals) pointers.push_back(&signal);
    const ImageFeatures features = (*encoder_)(eyes_, pointers, DType::f32);
    EXPECT_EQ(features.tokens_TC.dim(0), features.coarse.positions());
    for (size_t i = 0; i < signals.size(); ++i) {
      EXPECT_EQ(features.coarse.heights[i], encoder_->grid(signals[i]).rows);
      EXPECT_EQ(features.coarse.widths[i], encoder_->grid(signals[i]).columns);
    }
    return features.tokens_TC.to_floats();
  }

  nn::ParameterStore store_;
  ImageEncoder eyes_;
  std::unique_ptr<SignalEncoder> encoder_;
};

TEST_F(VideoEncoding, AFilmIsTheSameAloneAndInABatch) {
  const Signal first = moving(3, 8), second = moving(1, 5);
  std::vector<float> alone = encode({first});
  const std::vector<float> other = encode({second});
  alone.insert(alone.end(), other.begin(), other.end());
  const std::vector<float> both = encode({first, second});
  ASSERT_EQ(alone.size(), both.size());
  for (size_t i = 0; i < both.size(); ++i) ASSERT_NEAR(alone[i], both[i], 1e-5);
}

TEST_F(VideoEncoding, TheOrderOfFramesMatters) {
  Signal film = moving(4, 8);
  const std::vector<float> forwards = encode({film});
  const size_t frame = film.values.size() / 8;
  Signal reversed = film;
  for (size_t t = 0; t < 8; ++t)
    std::copy_n(film.values.begin() + static_cast<int64_t>(t * frame), frame,
                reversed.values.begin() + static_cast<int64_t>((7 - t) * frame));
  const std::vector<float> backwards = encode({reversed});
  // Not even as the reversed rows of tokens.
  double difference = 0;
  const size_t row = forwards.size() / 8;
  for (size_t t = 0; t < 8; ++t) {
    for (size_t i = 0; i < row; ++i) difference += std::abs(forwards[t * row + i] - backwards[(7 - t) * row + i]);
  }
  EXPECT_GT(difference / static_cast<double>(forwards.size()), 1e-3);
}

// Of more frames than are kept the windows lie evenly, and say when they were.
TEST(FilmRecording, KnowsWhenItsWindowsWere) {
  const std::vector<media::Image> frames(160, media::Image(64, 48));
  const Recording film = film_recording(frames, 40);
  ASSERT_EQ(film.windows.size(), film.spans.size());
  ASSERT_EQ(film.windows.size(), 5u);  // every fourth of 20
  for (size_t w = 0; w < film.spans.size(); ++w) {
    EXPECT_DOUBLE_EQ(film.spans[w].begin_s, 8.0 * static_cast<double>(w));
    EXPECT_DOUBLE_EQ(film.spans[w].end_s, 8.0 * static_cast<double>(w) + 2);
  }
}

TEST(VideoConfig, GoesThroughJson) {
  const VideoEncoderConfig config{.cells = 3, .dim = 32, .layers = 1, .heads = 2, .mlp_width = 40, .rope_theta = 50};
  const Json json = Json::parse(config.to_json().dump());
  EXPECT_EQ(VideoEncoderConfig::from_json(json, "c").to_json(), config.to_json());
  Json wrong = json;
  wrong["heads"] = 3;
  EXPECT_THROW(VideoEncoderConfig::from_json(wrong, "c"), Error);
  wrong = json;
  wrong["frames"] = 8;
  EXPECT_THROW(VideoEncoderConfig::from_json(wrong, "c"), Error) << "an unknown key";
}

// A film that ffmpeg draws, with a tone.
TEST(FilmFiles, PicturesAndSound) {
  const fs::path folder = fs::path(testing::TempDir()) / "film_files";
  fs::create_directories(folder);
  const auto make = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin",
                                          "-y",     "-f",           "lavfi",     "-i",    "testsrc=s=320x180:r=10:d=3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.push_back((folder / name).string());
    ChildProcess process(arguments, {});
    (void)process.read_all(1000);
    EXPECT_EQ(process.wait(), 0) << process.complaint();
    return folder / name;
  };
  const fs::path loud = make("loud.mp4", {"-f", "lavfi", "-i", "sine=f=440:r=22050:d=3", "-c:v", "mpeg4"});
  const Recording film = load_film(loud);
  EXPECT_NEAR(film.seconds, 3, 0.1);
  ASSERT_EQ(film.windows.size(), 2u);  // 12 frames
  EXPECT_EQ(film.windows[0].shape(), Shape({8, 90, 160, 3}));
  const std::optional<Recording> sound = load_sound_track(loud, film);
  ASSERT_TRUE(sound.has_value());
  EXPECT_TRUE(sound->sound_track);
  EXPECT_EQ(sound->sense, &sense_kind("audio"));
  EXPECT_NEAR(sound->seconds, 3, 0.1);
  // 12 frames in 3 s: the windows are of the first and the last 2 s, and so is what is heard beside them.
  ASSERT_EQ(film.spans.size(), 2u);
  EXPECT_NEAR(film.spans[1].begin_s, 1, 0.05);
  EXPECT_NEAR(film.spans[1].end_s, 3, 0.05);
  ASSERT_EQ(sound->beside_film.size(), 2u);
  EXPECT_NEAR(static_cast<double>(sound->beside_film[0].dim(0)), 198, 3);
  EXPECT_FALSE(load_sound_track(make("silent.mp4", {"-c:v", "mpeg4"}), film).has_value());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace sensorium::modality
