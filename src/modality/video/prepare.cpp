// Legend: T frames, H height, W width.
#include <algorithm>

#include "base/log.h"
#include "media/decode.h"
#include "media/video.h"
#include "modality/audio/prepare.h"
#include "modality/senses.h"
#include "modality/video/video.h"

namespace sensorium::modality {
namespace {

constexpr int kDecodedSide = 256;  // frames come from ffmpeg no larger than this and are reduced to the budget here

// Three equal channels where a frame is grey.
media::Image small_frame(const media::Image& frame) {
  media::Image image = resize_for_model(frame, kFramePrepare);
  if (image.channels == 3) return image;
  media::Image colour(image.width, image.height, 3);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    std::fill_n(colour.pixels.begin() + static_cast<int64_t>(3 * i), 3, image.pixels[i]);
  return colour;
}

}  // namespace

Tensor window_of_frames(std::span<const media::Image> frames) {
  const media::Image& first = frames.front();
  Tensor window_THW3 = Tensor::empty({static_cast<int64_t>(frames.size()), first.height, first.width, 3}, DType::u8);
  auto* out = window_THW3.data<uint8_t>();
  for (const media::Image& frame : frames) out = std::copy(frame.pixels.begin(), frame.pixels.end(), out);
  return window_THW3;
}

std::vector<media::Image> frames_of(const Tensor& window_THW3) {
  std::vector<media::Image> frames;
  const auto* pixels = window_THW3.data<uint8_t>();
  for (int64_t t = 0; t < window_THW3.dim(0); ++t) {
    media::Image& frame =
        frames.emplace_back(static_cast<int>(window_THW3.dim(2)), static_cast<int>(window_THW3.dim(1)));
    std::copy_n(pixels, frame.pixels.size(), frame.pixels.begin());
    pixels += frame.pixels.size();
  }
  return frames;
}

Recording film_recording(std::vector<media::Image> frames, double seconds) {
  require(!frames.empty(), ErrorKind::invalid_data, "a film without frames");
  for (size_t t = 1; t < frames.size(); ++t) {
    require(frames[t].width == frames[0].width && frames[t].height == frames[0].height, ErrorKind::invalid_data,
            "frame {} is {} x {}, the first one {} x {}: the frames of a film have one size", t + 1, frames[t].width,
            frames[t].height, frames[0].width, frames[0].height);
  }
  for (media::Image& frame : frames) frame = small_frame(frame);
  Recording recording{.sense = &sense_kind("video"), .windows = {}, .seconds = seconds};
  const size_t length = std::min(frames.size(), size_t{kWindowFrames});
  WindowSampler sampler;
  for (size_t begin = 0; begin < frames.size(); begin += length) {
    const size_t first = std::min(begin, frames.size() - length);
    sampler.add([&] { return window_of_frames(std::span(frames).subspan(first, length)); });
  }
  recording.windows = sampler.take();
  const double frame_s = seconds / static_cast<double>(frames.size());
  for (size_t w = 0; w < recording.windows.size(); ++w) {
    const size_t first = std::min(w * static_cast<size_t>(sampler.stride()) * length, frames.size() - length);
    recording.spans.push_back({static_cast<double>(first) * frame_s, static_cast<double>(first + length) * frame_s});
  }
  return recording;
}

Recording load_film(const std::filesystem::path& path, const media::FfmpegLimits& limits) {
  media::Video video = media::load_video(
      path,
      {.frames_per_s = kFilmRateHz, .min_frames = kWindowFrames, .max_frames = kMostFrames, .max_side = kDecodedSide},
      limits);
  std::vector<media::Image> frames;
  for (media::VideoFrame& frame : video.frames) frames.push_back(std::move(frame.image));
  const double seconds = static_cast<double>(frames.size()) / kFilmRateHz;
  return film_recording(std::move(frames), video.info.duration_s > 0 ? video.info.duration_s : seconds);
}

std::optional<Recording> load_sound_track(const std::filesystem::path& path, const Recording& film,
                                          const media::FfmpegLimits& limits) {
  if (!media::probe_media(path, limits).has_audio) return std::nullopt;
  try {
    Recording sound = load_sound(path, film.spans, limits);
    sound.sound_track = true;
    return sound;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log_warning("the sound of the film is left out: {}", error.message());
    return std::nullopt;
  }
}

Recording load_film_frames(std::span<const std::string> paths) {
  std::vector<media::Image> frames;
  for (const std::string& path : paths) frames.push_back(media::load_image(path));
  const double seconds = static_cast<double>(frames.size()) / kFilmRateHz;
  try {
    return film_recording(std::move(frames), seconds);
  } catch (const Error& error) {
    throw paths.empty() ? error : error.with_context(paths.front());
  }
}

Signal film_signal(const Tensor& window_THW3) {
  const auto side = [&](int dim) { return static_cast<int>(window_THW3.dim(dim)); };
  Signal signal(side(1), side(2), 3, side(0));
  const auto* pixels = window_THW3.data<uint8_t>();
  for (size_t i = 0; i < signal.values.size(); ++i)
    signal.values[i] = (static_cast<float>(pixels[i]) * (1.0f / 255.0f) - 0.5f) * 4.0f;
  return signal;
}

}  // namespace sensorium::modality
