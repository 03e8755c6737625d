#include "media/audio.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/interrupt.h"
#include "media/ffmpeg.h"

namespace sensorium::media {
namespace {

constexpr int64_t kBlockFrames = 1 << 16;

// The reader with the map that it reads from.
class FileReader final : public AudioReader {
 public:
  FileReader(MappedFile map, const AudioLimits& limits)
      : map_(std::move(map)), reader_(read_audio_bytes(bytes_of(map_), limits).value()) {}
  const AudioInfo& info() const override { return reader_->info(); }
  int64_t read(std::span<float> samples) override { return reader_->read(samples); }

  static ByteSpan bytes_of(const MappedFile& map) {
    return {reinterpret_cast<const uint8_t*>(map.bytes().data()), map.bytes().size()};
  }

 private:
  MappedFile map_;
  std::unique_ptr<AudioReader> reader_;
};

void put_number(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

}  // namespace

std::unique_ptr<AudioReader> open_audio(const std::filesystem::path& path, const AudioLimits& limits) {
  return open_audio(path, limits, {});
}

std::unique_ptr<AudioReader> open_audio(const std::filesystem::path& path, const AudioLimits& limits,
                                        const FfmpegLimits& process) {
  MappedFile map(path);
  const ByteSpan bytes = FileReader::bytes_of(map);
  require(!bytes.empty(), ErrorKind::invalid_data, "{}: the file is empty", path.string());
  require(bytes.size() <= limits.max_file_bytes, ErrorKind::limit,
          "{}: a file of {} bytes is larger than the limit of {}", path.string(), bytes.size(), limits.max_file_bytes);
  if (!is_wav_or_flac(bytes)) return open_audio_with_ffmpeg(path, limits, process);
  try {
    return std::make_unique<FileReader>(std::move(map), limits);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

Audio read_whole(AudioReader& reader, const AudioLimits& limits) {
  const AudioInfo& info = reader.info();
  Audio audio{info.sample_rate_hz, info.channels, {}};
  const auto too_long = [&](int64_t frames) {
    fail(ErrorKind::limit,
         "a sound of {} frames in {} channels ({:.0f} s) is longer than the limit of {} samples; read it in parts",
         frames, info.channels, static_cast<double>(frames) / info.sample_rate_hz, limits.max_samples);
  };
  if (info.frames > limits.max_samples / info.channels) too_long(info.frames);
  // A header that promises much is believed a block at a time.
  while (true) {
    check_interrupted();
    const size_t before = audio.samples.size();
    audio.samples.resize(before + static_cast<size_t>(kBlockFrames * info.channels));
    const int64_t got = reader.read(std::span(audio.samples).subspan(before));
    audio.samples.resize(before + static_cast<size_t>(got * info.channels));
    if (static_cast<int64_t>(audio.samples.size()) > limits.max_samples) too_long(audio.frames());
    if (got < kBlockFrames) break;
  }
  require(audio.frames() > 0, ErrorKind::invalid_data, "{} sound without a single sample", info.format);
  audio.samples.shrink_to_fit();
  return audio;
}

Audio load_audio(const std::filesystem::path& path, const AudioLimits& limits) {
  const std::unique_ptr<AudioReader> reader = open_audio(path, limits);
  try {
    return read_whole(*reader, limits);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

Audio to_mono(const Audio& audio) {
  if (audio.channels == 1) return audio;
  Audio mono{audio.sample_rate_hz, 1, std::vector<float>(static_cast<size_t>(audio.frames()))};
  const auto channels = static_cast<size_t>(audio.channels);
  for (size_t i = 0; i < mono.samples.size(); ++i) {
    float sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += audio.samples[i * channels + c];
    mono.samples[i] = sum / static_cast<float>(channels);
  }
  return mono;
}

std::string encode_wav(const Audio& audio) {
  require(audio.channels > 0 && audio.channels <= 65'535 && audio.sample_rate_hz > 0, ErrorKind::usage,
          "a WAV file of {} channels at {} Hz", audio.channels, audio.sample_rate_hz);
  require(audio.samples.size() % static_cast<size_t>(audio.channels) == 0, ErrorKind::usage,
          "{} samples are no whole frames of {} channels", audio.samples.size(), audio.channels);
  constexpr size_t kHeader = 44;
  require(audio.samples.size() <= (size_t{0xFFFFFFFF} - kHeader) / 2, ErrorKind::usage,
          "{} samples do not fit a WAV file", audio.samples.size());
  const auto data = static_cast<uint32_t>(audio.samples.size() * 2);
  const auto channels = static_cast<uint32_t>(audio.channels), rate = static_cast<uint32_t>(audio.sample_rate_hz);
  std::string out = "RIFF";
  out.reserve(kHeader + data);
  put_number(out, data + kHeader - 8, 4);
  out += "WAVEfmt ";
  put_number(out, 16, 4);
  put_number(out, 1, 2);  // PCM
  put_number(out, channels, 2);
  put_number(out, rate, 4);
  put_number(out, rate * channels * 2, 4);
  put_number(out, channels * 2, 2);
  put_number(out, 16, 2);
  out += "data";
  put_number(out, data, 4);
  for (const float sample : audio.samples) {
    const float scaled = std::clamp(std::nearbyint(sample * 32768.0f), -32768.0f, 32767.0f);
    put_number(out, static_cast<uint32_t>(static_cast<int32_t>(scaled)), 2);
  }
  return out;
}

}  // namespace sensorium::media
