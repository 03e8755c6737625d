#include "modality/senses.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "modality/audio/prepare.h"
#include "modality/depth/depth.h"
#include "modality/motion/motion.h"
#include "modality/video/encoder.h"
#include "modality/video/video.h"

namespace sensorium::modality {
namespace {

constexpr std::array<std::string_view, 9> kSoundFiles = {".wav", ".flac", ".mp3", ".ogg", ".opus",
                                                         ".m4a", ".aac",  ".aif", ".aiff"};
constexpr std::array<std::string_view, 1> kMotionFiles = {".csv"}, kArrays = {".npy"};
constexpr std::array<std::string_view, 2> kDistances = {".png", ".npy"};
constexpr std::array<std::string_view, 8> kFilms = {".mp4", ".mov", ".m4v", ".webm", ".mkv", ".mpeg", ".avi", ".gif"};

// A loader that needs nothing but the path.
template <Recording (*load)(const std::filesystem::path& path)>
Recording of_path(const std::filesystem::path& path, const RecordingOptions& /*options*/) {
  return load(path);
}
// One that runs ffmpeg.
template <Recording (*load)(const std::filesystem::path& path, const media::FfmpegLimits& limits)>
Recording by_ffmpeg(const std::filesystem::path& path, const RecordingOptions& options) {
  return load(path, options.ffmpeg);
}
std::optional<Recording> sound_of_film(const std::filesystem::path& path, const Recording& film,
                                       const RecordingOptions& options) {
  return load_sound_track(path, film, options.ffmpeg);
}

constexpr std::array<SenseKind, 4> kSenses = {{
    {.name = "audio",
     .faculty = "hearing",
     .input = "a sound",
     .lead = "sound: ",
     .question = "What do you hear?",
     .caption_question = "Describe the sound.",
     .extensions = kSoundFiles,
     .possible_extensions = kFilms,
     .channels = 3,
     .load_file = by_ffmpeg<load_sound>,
     .load_frames = nullptr,
     .load_sound_track = nullptr,
     .signal = sound_signal,
     .read_encoder = read_picture_signal_encoder},
    {.name = "imu",
     .faculty = "motion",
     .input = "a recording of motion sensors",
     .lead = "motion: ",
     .question = "What is the person doing?",
     .caption_question = "Describe the motion.",
     .extensions = kMotionFiles,
     .possible_extensions = kArrays,
     .channels = kMotionChannels,
     .load_file = of_path<load_motion_recording>,
     .load_frames = nullptr,
     .load_sound_track = nullptr,
     .signal = motion_signal,
     .read_encoder = read_picture_signal_encoder},
    {.name = "video",
     .faculty = "films",
     .input = "a film",
     .lead = "video: ",
     .question = "What kind of event is it?",
     .caption_question = "Describe the video.",
     .extensions = kFilms,
     .possible_extensions = {},
     .channels = 3,
     .load_file = by_ffmpeg<load_film>,
     .load_frames = load_film_frames,
     .load_sound_track = sound_of_film,
     .signal = film_signal,
     .read_encoder = read_video_encoder},
    {.name = "depth",
     .faculty = "depth",
     .input = "a depth picture",
     .lead = "depth: ",
     .question = "Which part is nearest?",
     .caption_question = "Describe the scene.",
     .extensions = {},
     .possible_extensions = kDistances,
     .channels = kDepthChannels,
     .load_file = load_depth_recording,
     .load_frames = nullptr,
     .load_sound_track = nullptr,
     .signal = depth_signal,
     .read_encoder = read_picture_signal_encoder},
}};

bool holds(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::span<const SenseKind> sense_kinds() { return kSenses; }

const SenseKind* find_sense(std::string_view name) {
  const auto* const found =
      std::find_if(kSenses.begin(), kSenses.end(), [&](const SenseKind& kind) { return kind.name == name; });
  return found == kSenses.end() ? nullptr : found;
}

const SenseKind& sense_kind(std::string_view name) {
  const SenseKind* kind = find_sense(name);
  if (kind != nullptr) return *kind;
  std::vector<std::string_view> names;
  for (const SenseKind& known : kSenses) names.push_back(known.name);
  fail(ErrorKind::usage, "there is no sense \"{}\"; senses are {}", name, fmt::join(names, ", "));
}

const SenseKind* sense_of_file(const std::filesystem::path& path) {
  const std::string extension = lower_extension(path);
  for (const SenseKind& kind : kSenses) {
    if (holds(kind.extensions, extension)) return &kind;
  }
  return nullptr;
}

bool may_be(const SenseKind& sense, const std::filesystem::path& path) {
  const std::string extension = lower_extension(path);
  return holds(sense.extensions, extension) || holds(sense.possible_extensions, extension);
}

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

}  // namespace sensorium::modality
