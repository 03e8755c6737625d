#include "media/video.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>

#include <functional>

#include "base/child_process.h"
#include "base/file.h"

namespace sensorium::media {
namespace {

namespace fs = std::filesystem;

// Films that ffmpeg draws: its own test pictures, and a tone.
class Films : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(testing::TempDir()) / ("films_" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
                                        testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path make(const std::string& name, const std::vector<std::string>& arguments) {
    const fs::path path = folder_ / name;
    std::vector<std::string> all = {"ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.push_back(path.string());
    ChildProcess process(all, {});
    (void)process.read_all(1000);
    EXPECT_EQ(process.wait(), 0) << process.complaint();
    return path;
  }
  // Grey that brightens by 25 levels a second, 4 s at 10 frames a second, with a tone.
  fs::path make_ramp(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "-f",       "lavfi",  "-i",   "color=black:s=64x48:r=10:d=4,format=gray,geq=lum=20+N*25/10",
        "-f",       "lavfi",  "-i",   "sine=f=440:r=22050:d=4",
        "-c:v",     "mpeg4",  "-q:v", "2",
        "-pix_fmt", "yuv420p"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return make(name, arguments);
  }

  fs::path folder_;
};

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::usage;
}

double brightness(const Image& image) {
  double sum = 0;
  for (const uint8_t value : image.pixels) sum += value;
  return sum / static_cast<double>(image.pixels.size());
}

TEST_F(Films, ProbeSaysWhatIsInside) {
  const MediaInfo info = probe_media(make_ramp("ramp.mp4"));
  EXPECT_TRUE(info.has_video && info.has_audio);
  EXPECT_EQ(info.width, 64);
  EXPECT_EQ(info.height, 48);
  EXPECT_EQ(info.sample_rate_hz, 22'050);
  EXPECT_NEAR(info.duration_s, 4, 0.1);
  EXPECT_NEAR(info.frames_per_s, 10, 0.01);
}

TEST_F(Films, FramesStandInTheMiddlesOfEqualParts) {
  const Video video = load_video(make_ramp("ramp.mp4"), {.frames_per_s = 2});
  ASSERT_EQ(video.frames.size(), 8u);
  const auto seconds_after_first = [&](size_t i) { return video.frames[i].time_s - video.frames[0].time_s; };
  const auto brighter_than_first = [&](size_t i) {
    return brightness(video.frames[i].image) - brightness(video.frames[0].image);
  };
  const double levels_per_s = brighter_than_first(7) / seconds_after_first(7);
  EXPECT_GT(levels_per_s, 23);  // 25, up to the range that the coded film uses
  EXPECT_LT(levels_per_s, 30);
  for (size_t i = 0; i < video.frames.size(); ++i) {
    EXPECT_NEAR(video.frames[i].time_s, 0.25 + 0.5 * static_cast<double>(i), 0.02) << i;
    EXPECT_EQ(video.frames[i].image.width, 64);
    // What is shown at that time is at most one frame off.
    EXPECT_NEAR(brighter_than_first(i), levels_per_s * seconds_after_first(i), 3) << i;
  }
}

TEST_F(Films, CountIsBoundedAndSizesShrink) {
  const fs::path film = make_ramp("ramp.mp4");
  const Video video = load_video(film, {.frames_per_s = 10, .min_frames = 1, .max_frames = 5, .max_side = 32});
  ASSERT_EQ(video.frames.size(), 5u);
  EXPECT_EQ(video.frames[0].image.width, 32);
  EXPECT_EQ(video.frames[0].image.height, 24);
  EXPECT_NEAR(video.frames[4].time_s, 3.6, 0.02);
  EXPECT_EQ(sampled_frame_count(0.1, {.frames_per_s = 1, .min_frames = 2}), 2);
  EXPECT_EQ(sampled_frame_count(10, {.frames_per_s = 1}), 10);
  EXPECT_EQ(sampled_frame_count(1e9, {.frames_per_s = 1, .max_frames = 32}), 32);
}

TEST_F(Films, TurnedFilmsComeUpright) {
  const fs::path plain = make_ramp("ramp.mp4");
  const fs::path turned = make("turned.mp4", {"-i", plain.string(), "-c", "copy", "-metadata:s:v:0", "rotate=90"});
  const Video video = load_video(turned, {.frames_per_s = 1});
  EXPECT_EQ(video.info.width, 48);
  EXPECT_EQ(video.info.height, 64);
  EXPECT_EQ(video.frames.at(0).image.width, 48);
}

TEST_F(Films, TheSoundTrackIsRead) {
  const Audio audio = load_audio(make_ramp("ramp.mp4", {"-c:a", "flac", "-strict", "-2"}));
  EXPECT_EQ(audio.sample_rate_hz, 22'050);
  EXPECT_NEAR(audio.duration_s(), 4, 0.1);
  int crossings = 0;
  for (size_t i = 1; i < audio.samples.size(); ++i) crossings += (audio.samples[i - 1] < 0) != (audio.samples[i] < 0);
  EXPECT_NEAR(crossings / audio.duration_s(), 880, 10);
}

TEST_F(Films, SoundAloneAndPicturesAloneAreSaid) {
  const fs::path sound = make("tone.ogg", {"-f", "lavfi", "-i", "sine=f=440:r=16000:d=1", "-c:a", "flac"});
  EXPECT_EQ(kind_of([&] { (void)load_video(sound); }), ErrorKind::invalid_data);
  const fs::path mute = make("mute.avi", {"-f", "lavfi", "-i", "testsrc=s=64x48:r=5:d=1", "-c:v", "mpeg4"});
  EXPECT_EQ(kind_of([&] { (void)load_audio(mute); }), ErrorKind::invalid_data);
}

TEST_F(Films, DamagedAndHostileFilesAreRefused) {
  const std::string bytes = read_file(make_ramp("ramp.avi"));
  write_file_atomic(folder_ / "cut.avi", bytes.substr(0, 200));
  EXPECT_EQ(kind_of([&] { (void)load_video(folder_ / "cut.avi"); }), ErrorKind::invalid_data);
  write_file_atomic(folder_ / "text.mp4", "no film\n");
  EXPECT_EQ(kind_of([&] { (void)load_video(folder_ / "text.mp4"); }), ErrorKind::invalid_data);
  EXPECT_EQ(kind_of([&] { (void)load_video(folder_ / "missing.mp4"); }), ErrorKind::not_found);
  EXPECT_EQ(kind_of([&] { (void)load_video(folder_); }), ErrorKind::io);
  // A playlist that names another file must not open it.
  write_file_atomic(folder_ / "list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nramp.avi\n#EXT-X-ENDLIST\n");
  EXPECT_EQ(kind_of([&] { (void)probe_media(folder_ / "list.m3u8"); }), ErrorKind::invalid_data);
  write_file_atomic(folder_ / "list.txt", "ffconcat version 1.0\nfile ramp.avi\n");
  EXPECT_EQ(kind_of([&] { (void)probe_media(folder_ / "list.txt"); }), ErrorKind::invalid_data);
}

TEST_F(Films, ASlowDecoderIsStopped) {
  const fs::path film = make_ramp("ramp.mp4");
  const fs::path scratch = folder_ / "scratch";
  fs::create_directories(scratch);
  const char* before = std::getenv("TMPDIR");
  const std::string restored = before == nullptr ? "" : before;
  ::setenv("TMPDIR", scratch.c_str(), 1);
  EXPECT_EQ(kind_of([&] { (void)load_video(film, {}, {.wall_time = std::chrono::milliseconds(1)}); }),
            ErrorKind::limit);
  if (before == nullptr) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", restored.c_str(), 1);
  }
  // Nothing of it is left: no process, not even a dead one, and no file.
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_TRUE(fs::is_empty(scratch));
}

TEST_F(Films, NamesThatLookLikeOptionsAndUrlsAreFiles) {
  const fs::path film = make_ramp("ramp.mp4");
  fs::copy_file(film, folder_ / "-i http:x.mp4");
  EXPECT_EQ(load_video(folder_ / "-i http:x.mp4", {.frames_per_s = 1}).frames.size(), 4u);
}

}  // namespace
}  // namespace sensorium::media
