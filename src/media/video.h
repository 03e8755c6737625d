// Frames of a film, chosen over time. Decoded by ffmpeg (ffmpeg.h).
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "media/ffmpeg.h"
#include "media/image.h"

namespace sensorium::media {

struct FrameSampling {
  double frames_per_s = 1;  // wanted
  int min_frames = 1;       // of a short film, as far as it has so many
  int max_frames = 32;      // of a long one: then they stand farther apart
  int max_side = 512;       // larger frames are reduced (area averaging) to this longer side
};

struct VideoFrame {
  Image image;
  double time_s = 0;  // where in the film it stands
};

struct Video {
  MediaInfo info;
  std::vector<VideoFrame> frames;  // in order of time, all of one size
};

// How many frames a film of `duration_s` gives: duration x rate, within the bounds.
int sampled_frame_count(double duration_s, const FrameSampling& sampling);

// Frames from the middles of equal parts of the film, upright. The film's own timestamps count, so a variable frame rate is no
// matter. A film without a known duration is read from its start at the wanted rate. Throws Error with the path: as
// probe_media; invalid_data (no pictures in it, or none that decode), limit.
Video load_video(const std::filesystem::path& path, const FrameSampling& sampling = {},
                 const FfmpegLimits& limits = {});

// The pictures of a film, numbered in the order in which they are shown.
struct FrameCount {
  int64_t frames = 0;       // counted, without decoding them
  double frames_per_s = 0;  // the average
  double duration_s() const { return static_cast<double>(frames) / frames_per_s; }
};
// Throws Error with the path: as probe_media; invalid_data (no pictures, or the file says nothing of their rate).
FrameCount count_frames(const std::filesystem::path& path, const FfmpegLimits& limits = {});
// The frames of these numbers (which rise), upright and at their own size. Throws as load_video; invalid_data if one of them is not
// there.
std::vector<Image> load_frames(const std::filesystem::path& path, std::span<const int64_t> numbers,
                               const FfmpegLimits& limits = {});

}  // namespace sensorium::media
