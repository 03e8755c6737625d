// The senses beside sight, as a table: how a recording is loaded and prepared, and the words that go with it.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "media/ffmpeg.h"
#include "modality/signal_encoder.h"

namespace sensorium::modality {

// How a file is read.
struct RecordingOptions {
  std::optional<double> depth_unit_m;  // of distances; none: millimetres in pictures, metres in arrays
  media::FfmpegLimits ffmpeg = {};     // of the processes that decode it, where such do
};

struct SenseKind {
  std::string_view name;     // in config.json, in records, after --as
  std::string_view faculty;  // "hearing": for messages
  std::string_view input;    // "a sound": for messages
  std::string_view lead;     // stands before the recording in a prompt
  // What is asked where a data set asks nothing; answered by the recording's label and by its captions.
  std::string_view question, caption_question;
  std::span<const std::string_view> extensions;  // of files that are recordings of this sense, in lower case
  // Of files that may be recordings of it, if one says so.
  std::span<const std::string_view> possible_extensions;
  int channels;  // of its signals
  Recording (*load_file)(const std::filesystem::path& path, const RecordingOptions& options);
  // From a list of pictures; none: the sense has no recordings of that form.
  Recording (*load_frames)(std::span<const std::string> paths);
  // The sound in the file of a film, its windows beside the film's; none: such files hold none.
  std::optional<Recording> (*load_sound_track)(const std::filesystem::path& path, const Recording& film,
                                               const RecordingOptions& options);
  Signal (*signal)(const Tensor& window);
  // The encoder's sizes from config.json; `where` begins messages. Throws Error(invalid_data).
  SharedEncoderConfig (*read_encoder)(const SenseKind& sense, const Json& json, const std::string& where);

  Recording load(const std::filesystem::path& path, const RecordingOptions& options = {}) const {
    return load_file(path, options);
  }
};

std::span<const SenseKind> sense_kinds();
// nullptr if there is none.
const SenseKind* find_sense(std::string_view name);
// Throws Error(usage) that names those there are.
const SenseKind& sense_kind(std::string_view name);
// By the file's name; nullptr: no recording, or the name does not say of what.
const SenseKind* sense_of_file(const std::filesystem::path& path);
// Whether a file of this name can be a recording of the sense.
bool may_be(const SenseKind& sense, const std::filesystem::path& path);
// ".JPG" -> ".jpg"
std::string lower_extension(const std::filesystem::path& path);

}  // namespace sensorium::modality
