// Sound in memory and in files. WAV and FLAC are read by libsndfile; every other container goes through ffmpeg (ffmpeg.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "media/decode.h"

namespace sensorium::media {

struct Audio {
  int sample_rate_hz = 0;
  int channels = 1;
  std::vector<float> samples;  // [frames, channels], -1..1 as the file has them (float files may go beyond)

  int64_t frames() const { return static_cast<int64_t>(samples.size()) / channels; }
  double duration_s() const { return static_cast<double>(frames()) / sample_rate_hz; }
};

// From the header alone.
struct AudioInfo {
  std::string format;  // "WAV", "FLAC", or what ffmpeg calls it
  int sample_rate_hz = 0;
  int channels = 0;
  int64_t frames = -1;  // -1: the file does not say
};

struct AudioLimits {
  int max_channels = 64;
  int max_sample_rate_hz = 768'000;
  // Of a sound that is loaded whole: samples of all channels. 2^28 floats are 1 GB, 4.6 hours of 16 kHz mono.
  int64_t max_samples = int64_t{1} << 28;
  size_t max_file_bytes = size_t{1} << 33;
};

struct FfmpegLimits;  // ffmpeg.h

// A sound read piece by piece: memory does not grow with its length.
class AudioReader {
 public:
  virtual ~AudioReader() = default;
  virtual const AudioInfo& info() const = 0;
  // The next frames into `samples` (a multiple of the channels): as many as fit, fewer only at the end; returns frames. Throws
  // Error: invalid_data (damaged, or it ends before its header says so; a sample that is not finite), limit, interrupted.
  virtual int64_t read(std::span<float> samples) = 0;
};

// Told apart by their bytes, never by the name. Throws Error with the path: not_found, invalid_data (no sound in it), unsupported,
// limit. The reader's own errors do not name the file.
std::unique_ptr<AudioReader> open_audio(const std::filesystem::path& path, const AudioLimits& limits = {});
// The same with limits of ffmpeg's process, should it be needed.
std::unique_ptr<AudioReader> open_audio(const std::filesystem::path& path, const AudioLimits& limits,
                                        const FfmpegLimits& process);
// Whether the bytes begin as a WAV or FLAC file.
bool is_wav_or_flac(ByteSpan bytes);
// WAV and FLAC only; `bytes` must outlive the reader.
Result<std::unique_ptr<AudioReader>> read_audio_bytes(ByteSpan bytes, const AudioLimits& limits = {});

// All of it. Throws as open_audio and read; invalid_data if there is not one frame.
Audio read_whole(AudioReader& reader, const AudioLimits& limits = {});
Audio load_audio(const std::filesystem::path& path, const AudioLimits& limits = {});

// The mean of the channels.
Audio to_mono(const Audio& audio);

// A WAV file of 16 bits a sample; values are rounded, those beyond -1..1 clipped. Throws Error(usage) for no channel or more than
// 65535, a rate below 1, samples that are no whole frames, or more bytes than WAV can count (4 GB).
std::string encode_wav(const Audio& audio);

}  // namespace sensorium::media
