#include "media/video.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sensorium::media {
namespace {

constexpr int kHighestSide = 16'384;

struct Size {
  int width, height;
};

Size reduced_size(const MediaInfo& info, int max_side) {
  const double scale = std::min(1.0, static_cast<double>(max_side) / std::max(info.width, info.height));
  return {std::max(1, static_cast<int>(std::lround(info.width * scale))),
          std::max(1, static_cast<int>(std::lround(info.height * scale)))};
}

}  // namespace

int sampled_frame_count(double duration_s, const FrameSampling& sampling) {
  const double wanted = std::max(0.0, duration_s) * sampling.frames_per_s;
  const double bounded = std::clamp(std::round(wanted), static_cast<double>(sampling.min_frames),
                                    static_cast<double>(sampling.max_frames));
  return static_cast<int>(bounded);
}

namespace {

MediaInfo probe_film(const std::filesystem::path& path, const FfmpegLimits& limits) {
  MediaInfo info = probe_media(path, limits);
  require(info.has_video, ErrorKind::invalid_data, "{}: holds no pictures", path.string());
  require(info.width > 0 && info.height > 0, ErrorKind::invalid_data, "{}: pictures of {} x {} pixels", path.string(),
          info.width, info.height);
  require(info.width <= kHighestSide && info.height <= kHighestSide, ErrorKind::limit,
          "{}: pictures of {} x {} pixels; the limit is {}", path.string(), info.width, info.height, kHighestSide);
  return info;
}

}  // namespace

FrameCount count_frames(const std::filesystem::path& path, const FfmpegLimits& limits) {
  const MediaInfo info = probe_film(path, limits);
  std::vector<std::string> arguments = detail::ffmpeg_arguments("ffprobe");
  for (const char* more : {"-select_streams", "V:0", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of",
                           "default=noprint_wrappers=1:nokey=1"}) {
    arguments.emplace_back(more);
  }
  arguments.push_back(detail::ffmpeg_path(path));
  try {
    ChildProcess process(arguments, {.wall_time = limits.wall_time, .memory_bytes = limits.memory_bytes});
    std::string text(64, '\0');
    text.resize(process.read(std::as_writable_bytes(std::span(text))));
    const int code = process.wait();
    FrameCount count{0, info.frames_per_s};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count.frames);
    require(code == 0 && error == std::errc() && count.frames > 0, ErrorKind::invalid_data,
            "its pictures cannot be counted: {}", detail::ffmpeg_reason(process, code));
    require(count.frames_per_s > 0, ErrorKind::invalid_data, "the film does not say how many pictures a second has");
    return count;
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

std::vector<Image> load_frames(const std::filesystem::path& path, std::span<const int64_t> numbers,
                               const FfmpegLimits& limits) {
  require(!numbers.empty() && numbers.front() >= 0 && std::is_sorted(numbers.begin(), numbers.end()), ErrorKind::usage,
          "{}: the numbers of the frames must rise from 0", path.string());
  const MediaInfo info = probe_film(path, limits);
  std::string chosen;
  for (const int64_t number : numbers) chosen += fmt::format("{}eq(n\\,{})", chosen.empty() ? "" : "+", number);
  std::vector<std::string> arguments = detail::ffmpeg_arguments("ffmpeg");
  const std::string last = std::to_string(numbers.size());
  arguments.insert(arguments.end(), {"-nostdin", "-i", detail::ffmpeg_path(path), "-map", "0:V:0", "-an", "-sn", "-dn",
                                     "-vf", fmt::format("select={}", chosen), "-vsync", "passthrough", "-frames:v",
                                     last, "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"});
  try {
    ChildProcess process(
        arguments, {.wall_time = limits.wall_time, .memory_bytes = limits.memory_bytes, .output_bytes = INT64_MAX});
    std::vector<Image> frames;
    while (frames.size() < numbers.size()) {
      Image frame(info.width, info.height);
      if (process.read(std::as_writable_bytes(std::span(frame.pixels))) < frame.pixels.size()) break;
      frames.push_back(std::move(frame));
    }
    const int code = process.wait();
    require(frames.size() == numbers.size(), ErrorKind::invalid_data, "frame {} of the film is not there: {}",
            numbers[frames.size()], detail::ffmpeg_reason(process, code));
    return frames;
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

Video load_video(const std::filesystem::path& path, const FrameSampling& sampling, const FfmpegLimits& limits) {
  require(sampling.frames_per_s > 0 && sampling.min_frames >= 1 && sampling.max_frames >= sampling.min_frames &&
              sampling.max_side >= 1,
          ErrorKind::usage, "sampling of {} frames a second, {} to {} of them, with sides up to {}",
          sampling.frames_per_s, sampling.min_frames, sampling.max_frames, sampling.max_side);
  Video video{probe_film(path, limits), {}};
  const MediaInfo& info = video.info;
  const Size size = reduced_size(info, sampling.max_side);
  const bool timed = info.duration_s > 0;
  const int count = timed ? sampled_frame_count(info.duration_s, sampling) : sampling.max_frames;
  const double rate = timed ? count / info.duration_s : sampling.frames_per_s;
  const double first_s = timed ? 0.5 / rate : 0;

  std::vector<std::string> arguments = detail::ffmpeg_arguments("ffmpeg");
  const auto add = [&](std::initializer_list<std::string> more) { arguments.insert(arguments.end(), more); };
  // Seeking to the middle of the first part makes the frames of `fps` (one per 1/rate, the last one shown by then) those middles.
  add({"-nostdin", "-ss", fmt::format("{:.6f}", first_s), "-i", detail::ffmpeg_path(path), "-map", "0:V:0", "-an",
       "-sn", "-dn"});
  add({"-vf", fmt::format("fps=fps={:.9f}:round=near:eof_action=pass,scale={}:{}:flags=area,setsar=1", rate, size.width,
                          size.height)});
  add({"-frames:v", std::to_string(count), "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"});
  try {
    ChildProcess process(arguments, {.wall_time = limits.wall_time, .memory_bytes = limits.memory_bytes});
    while (static_cast<int>(video.frames.size()) < count) {
      VideoFrame frame{Image(size.width, size.height), first_s + static_cast<double>(video.frames.size()) / rate};
      const size_t got = process.read(std::as_writable_bytes(std::span(frame.image.pixels)));
      if (got < frame.image.pixels.size()) break;
      video.frames.push_back(std::move(frame));
    }
    const int code = process.wait();
    require(!video.frames.empty(), ErrorKind::invalid_data, "no picture in it decodes: {}",
            detail::ffmpeg_reason(process, code));
    require(code == 0, ErrorKind::invalid_data, "damaged film after {} of {} frames: {}", video.frames.size(), count,
            detail::ffmpeg_reason(process, code));
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
  return video;
}

}  // namespace sensorium::media
