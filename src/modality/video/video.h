// Films as the native model watches them: a few frames a second, small, in windows.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/ffmpeg.h"
#include "media/image.h"
#include "modality/image/prepare.h"
#include "modality/signal.h"

namespace sensorium::modality {

constexpr double kFilmRateHz = 4;  // frames a second
constexpr int kWindowFrames = 8;   // 2 s
// Of a long film so many frames are taken, farther apart: the token budget.
constexpr int kMostFrames = kWindowFrames * static_cast<int>(WindowSampler::kMost);
// Of a frame; 160 x 90 is the most of a 16:9 picture.
constexpr ImagePrepareConfig kFramePrepare{.max_pixels = 160 * 90, .min_side = 48, .max_aspect = 4};

// Frames in their order, evenly over `seconds`, of one size. Windows u8 [frames, height, width, 3]: kWindowFrames each, the last one
// ends with the film; a film of fewer frames is one window. At most WindowSampler::kMost windows are kept. Throws
// Error(invalid_data): no frame, or frames of different sizes.
Recording film_recording(std::vector<media::Image> frames, double seconds);
// A film's file, by its own timestamps, through ffmpeg; the sound is load_sound's affair. Throws Error with the path, as
// media::load_video.
Recording load_film(const std::filesystem::path& path, const media::FfmpegLimits& limits = {});
// A film's sound as the sense of hearing takes it, and what of it is heard during each window of the film; none: it is silent, or (with
// a warning) its sound cannot be read. Throws Error with the path, as media::probe_media.
std::optional<Recording> load_sound_track(const std::filesystem::path& path, const Recording& film,
                                          const media::FfmpegLimits& limits = {});
// Frames that are pictures, kFilmRateHz of them a second. Throws Error with the path, as media::load_image.
Recording load_film_frames(std::span<const std::string> paths);

// The frames of a window.
std::vector<media::Image> frames_of(const Tensor& window_THW3);
Tensor window_of_frames(std::span<const media::Image> frames);
// One window as frames in the units of the encoder of pictures (prepare.h).
Signal film_signal(const Tensor& window_THW3);

}  // namespace sensorium::modality
