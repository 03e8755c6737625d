// Every container that has no reader of its own, through the programs ffprobe and ffmpeg: separate processes with limits of
// time, memory and output, without network, that may open no other file than the one they are given.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/child_process.h"
#include "media/audio.h"

namespace sensorium::media {

struct FfmpegLimits {
  std::chrono::milliseconds wall_time{600'000};
  int64_t memory_bytes = int64_t{2} << 30;  // of address space
};

// What a container holds. The first picture stream that is no cover picture, the first sound stream.
struct MediaInfo {
  std::string format;      // ffprobe's name: "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", ..
  double duration_s = -1;  // -1: unknown
  bool has_video = false, has_audio = false;
  int width = 0, height = 0;  // upright: as shown, after the container's rotation
  double frames_per_s = 0;    // the average; a file with a variable rate has no other. 0: unknown
  int sample_rate_hz = 0, channels = 0;
};

// Throws Error with the path: not_found (the file, or ffprobe is not installed), invalid_data (nothing that ffmpeg knows; neither
// sound nor pictures), limit.
MediaInfo probe_media(const std::filesystem::path& path, const FfmpegLimits& limits = {});

// The first sound stream at its own rate and channels. Throws as probe_media; invalid_data if there is no sound stream.
std::unique_ptr<AudioReader> open_audio_with_ffmpeg(const std::filesystem::path& path, const AudioLimits& limits = {},
                                                    const FfmpegLimits& process = {});

namespace detail {
// The arguments that every run of ffmpeg and ffprobe begins with: program, quiet, no network, container formats only (no
// playlists, which name other files).
std::vector<std::string> ffmpeg_arguments(const std::string& program);
// The path as an argument: never taken for an option or a URL.
std::string ffmpeg_path(const std::filesystem::path& path);
// Why a run failed, in one line: what it complained of, the signal that ended it.
std::string ffmpeg_reason(const ChildProcess& process, int code);
}  // namespace detail

}  // namespace sensorium::media
