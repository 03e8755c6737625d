#include "modality/senses.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "modality/audio/prepare.h"
#include "modality/motion/motion.h"

namespace sensorium::modality {
namespace {

constexpr std::array<std::string_view, 9> kSoundFiles = {".wav", ".flac", ".mp3", ".ogg", ".opus",
                                                         ".m4a", ".aac",  ".aif", ".aiff"};
constexpr std::array<std::string_view, 1> kMotionFiles = {".csv"};

constexpr std::array<SenseKind, 2> kSenses = {{
    {.name = "audio",
     .faculty = "hearing",
     .input = "a sound",
     .lead = "sound: ",
     .question = "What do you hear?",
     .caption_question = "Describe the sound.",
     .extensions = kSoundFiles,
     .channels = 3,
     .load = load_sound,
     .signal = sound_signal},
    {.name = "imu",
     .faculty = "motion",
     .input = "a recording of motion sensors",
     .lead = "motion: ",
     .question = "What is the person doing?",
     .caption_question = "Describe the motion.",
     .extensions = kMotionFiles,
     .channels = kMotionChannels,
     .load = load_motion_recording,
     .signal = motion_signal},
}};

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
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const SenseKind& kind : kSenses) {
    if (std::find(kind.extensions.begin(), kind.extensions.end(), extension) != kind.extensions.end()) return &kind;
  }
  return nullptr;
}

}  // namespace sensorium::modality
