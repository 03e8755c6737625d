#include "media/ffmpeg.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/json.h"

namespace sensorium::media {
namespace {

constexpr size_t kMostProbeBytes = size_t{1} << 22;
// What ffmpeg may open. Playlists and scripts (hls, concat, dash, ..) are left out: they name other files.
constexpr const char* kContainers =
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,gif,h264,hevc,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,mpegvideo,mxf,ogg,rm,tta,voc,w64,wav,wv";

double number_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return -1;
  const auto& text = value.get_ref<const std::string&>();
  double number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && std::isfinite(number) ? number : -1;
}

// "30000/1001".
double ratio_of(const Json& value) {
  if (!value.is_string()) return 0;
  const auto& text = value.get_ref<const std::string&>();
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return std::max(0.0, number_of(value));
  const double above = number_of(text.substr(0, slash)), below = number_of(text.substr(slash + 1));
  return above > 0 && below > 0 ? above / below : 0;
}

Json field(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : Json();
}

int quarter_turns(const Json& stream) {
  for (const Json& side : field(stream, "side_data_list")) {
    const Json rotation = field(side, "rotation");
    if (!rotation.is_null()) return static_cast<int>(std::lround(number_of(rotation) / 90)) & 3;
  }
  return 0;
}

class FfmpegAudio final : public AudioReader {
 public:
  FfmpegAudio(const std::filesystem::path& path, const MediaInfo& media, const FfmpegLimits& limits)
      : info_{media.format, media.sample_rate_hz, media.channels,
              -1},  // a container's duration promises no number of samples
        process_(arguments(path, media),
                 {.wall_time = limits.wall_time, .memory_bytes = limits.memory_bytes, .output_bytes = INT64_MAX}) {}

  const AudioInfo& info() const override { return info_; }

  int64_t read(std::span<float> samples) override {
    const size_t frame_bytes = sizeof(float) * static_cast<size_t>(info_.channels);
    const size_t wanted = samples.size_bytes() / frame_bytes * frame_bytes;
    const size_t got = process_.read(std::as_writable_bytes(samples).first(wanted));
    if (got < wanted && !ended_) {
      const int code = process_.wait();
      ended_ = true;
      require(code == 0, ErrorKind::invalid_data, "damaged sound: {}", detail::ffmpeg_reason(process_, code));
    }
    const auto values = samples.first(got / sizeof(float));
    require(std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }),
            ErrorKind::invalid_data, "the decoded sound holds numbers that are not finite");
    return static_cast<int64_t>(got / frame_bytes);
  }

 private:
  static std::vector<std::string> arguments(const std::filesystem::path& path, const MediaInfo& media) {
    std::vector<std::string> all = detail::ffmpeg_arguments("ffmpeg");
    const std::string channels = std::to_string(media.channels), rate = std::to_string(media.sample_rate_hz);
    all.insert(all.end(), {"-nostdin", "-xerror", "-i", detail::ffmpeg_path(path), "-map", "0:a:0", "-ac", channels,
                           "-ar", rate, "-f", "f32le", "pipe:1"});
    return all;
  }

  AudioInfo info_;
  ChildProcess process_;
  bool ended_ = false;
};

}  // namespace

namespace detail {

std::vector<std::string> ffmpeg_arguments(const std::string& program) {
  return {program,     "-hide_banner",      "-loglevel", "error", "-protocol_whitelist",
          "file,pipe", "-format_whitelist", kContainers};
}

std::string ffmpeg_path(const std::filesystem::path& path) {
  return "file:" + std::filesystem::absolute(path).string();
}

std::string ffmpeg_reason(const ChildProcess& process, int code) {
  const std::string complaint = process.complaint(), line = complaint.substr(0, complaint.find('\n'));
  if (code > 128) {
    return fmt::format("the decoder was ended by signal {}{}{}", code - 128, line.empty() ? "" : ": ", line);
  }
  return line.empty() ? "the decoder gave no reason" : line;
}

}  // namespace detail

MediaInfo probe_media(const std::filesystem::path& path, const FfmpegLimits& limits) {
  require(std::filesystem::exists(path), ErrorKind::not_found, "{}: no such file", path.string());
  require(std::filesystem::is_regular_file(path), ErrorKind::io, "{}: not a regular file", path.string());
  std::vector<std::string> arguments = detail::ffmpeg_arguments("ffprobe");
  for (const char* more : {"-of", "json", "-show_format", "-show_streams"}) arguments.emplace_back(more);
  arguments.push_back(detail::ffmpeg_path(path));
  ChildProcess process(arguments, {.wall_time = std::min(limits.wall_time, std::chrono::milliseconds(30'000)),
                                   .memory_bytes = limits.memory_bytes});
  const std::string text = process.read_all(kMostProbeBytes);
  const int code = process.wait();
  require(code == 0, ErrorKind::invalid_data, "{}: not a sound or film that ffmpeg reads: {}", path.string(),
          detail::ffmpeg_reason(process, code));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const Json format = field(json, "format");
  MediaInfo info;
  if (const Json name = field(format, "format_name"); name.is_string()) info.format = name.get<std::string>();
  info.duration_s = number_of(field(format, "duration"));
  for (const Json& stream : field(json, "streams")) {
    const Json kind = field(stream, "codec_type");
    const bool cover = field(field(stream, "disposition"), "attached_pic") == 1;
    if (kind == "video" && !cover && !info.has_video) {
      info.has_video = true;
      info.width = static_cast<int>(number_of(field(stream, "width")));
      info.height = static_cast<int>(number_of(field(stream, "height")));
      if (quarter_turns(stream) % 2 == 1) std::swap(info.width, info.height);
      info.frames_per_s = ratio_of(field(stream, "avg_frame_rate"));
    } else if (kind == "audio" && !info.has_audio) {
      info.has_audio = true;
      info.sample_rate_hz = static_cast<int>(number_of(field(stream, "sample_rate")));
      info.channels = static_cast<int>(number_of(field(stream, "channels")));
    }
  }
  require(info.has_video || info.has_audio, ErrorKind::invalid_data, "{}: holds neither sound nor pictures",
          path.string());
  return info;
}

std::unique_ptr<AudioReader> open_audio_with_ffmpeg(const std::filesystem::path& path, const AudioLimits& limits,
                                                    const FfmpegLimits& process) {
  const MediaInfo media = probe_media(path, process);
  require(media.has_audio, ErrorKind::invalid_data, "{}: holds no sound", path.string());
  require(media.sample_rate_hz > 0 && media.channels > 0, ErrorKind::invalid_data,
          "{}: sound with {} channels at {} Hz", path.string(), media.channels, media.sample_rate_hz);
  require(media.channels <= limits.max_channels && media.sample_rate_hz <= limits.max_sample_rate_hz, ErrorKind::limit,
          "{}: sound with {} channels at {} Hz; the limits are {} channels and {} Hz", path.string(), media.channels,
          media.sample_rate_hz, limits.max_channels, limits.max_sample_rate_hz);
  return std::make_unique<FfmpegAudio>(path, media, process);
}

}  // namespace sensorium::media
