// WAV and FLAC through libsndfile, from memory.
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "media/audio.h"
#include "media/byte_reader.h"

namespace sensorium::media {
namespace {

// libsndfile's view of a span.
struct MemoryFile {
  ByteSpan bytes;
  sf_count_t at = 0;
};

sf_count_t memory_length(void* user) { return static_cast<sf_count_t>(static_cast<MemoryFile*>(user)->bytes.size()); }
sf_count_t memory_seek(sf_count_t offset, int whence, void* user) {
  auto& file = *static_cast<MemoryFile*>(user);
  const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file.at : memory_length(user);
  file.at = std::clamp<sf_count_t>(base + offset, 0, memory_length(user));
  return file.at;
}
sf_count_t memory_read(void* target, sf_count_t count, void* user) {
  auto& file = *static_cast<MemoryFile*>(user);
  count = std::clamp<sf_count_t>(count, 0, memory_length(user) - file.at);
  if (count > 0) std::memcpy(target, file.bytes.data() + file.at, static_cast<size_t>(count));
  file.at += count;
  return count;
}
sf_count_t memory_tell(void* user) { return static_cast<MemoryFile*>(user)->at; }

SF_VIRTUAL_IO memory_io() { return {memory_length, memory_seek, memory_read, nullptr, memory_tell}; }

bool is_flac(const detail::ByteReader& reader) { return reader.matches(0, "fLaC"); }
bool is_wav(const detail::ByteReader& reader) {
  return (reader.matches(0, "RIFF") || reader.matches(0, "RF64")) && reader.matches(8, "WAVE");
}

// Bytes that the data chunk lacks. libsndfile cuts a sound to what is there without a word. A recorder that writes to a pipe
// cannot know the length and writes 0 or all ones; RF64 has it elsewhere: both are left to libsndfile.
uint64_t missing_wav_bytes(const detail::ByteReader& reader) {
  for (size_t at = 12; reader.holds(at, 8);) {
    const uint64_t length = *reader.u32(at + 4);
    if (reader.matches(at, "data")) {
      const uint64_t there = reader.size() - at - 8;
      return length == 0xFFFFFFFFu || length <= there ? 0 : length - there;
    }
    at += 8 + length + length % 2;
  }
  return 0;
}

class SndfileReader final : public AudioReader {
 public:
  static Result<std::unique_ptr<AudioReader>> open(ByteSpan bytes, const char* format, const AudioLimits& limits) {
    auto reader = std::unique_ptr<SndfileReader>(new SndfileReader(bytes));
    SF_INFO info{};
    SF_VIRTUAL_IO io = memory_io();
    reader->file_.reset(sf_open_virtual(&io, SFM_READ, &info, &reader->memory_));
    if (!reader->file_) {
      return Error(ErrorKind::invalid_data, fmt::format("damaged {} sound: {}", format, trimmed(sf_strerror(nullptr))));
    }
    if (info.channels < 1 || info.samplerate < 1) {
      return Error(ErrorKind::invalid_data,
                   fmt::format("{} sound with {} channels at {} Hz", format, info.channels, info.samplerate));
    }
    if (info.channels > limits.max_channels || info.samplerate > limits.max_sample_rate_hz) {
      return Error(ErrorKind::limit,
                   fmt::format("{} sound with {} channels at {} Hz; the limits are {} channels and {} Hz", format,
                               info.channels, info.samplerate, limits.max_channels, limits.max_sample_rate_hz));
    }
    // A FLAC stream of unknown length says the largest number.
    const int64_t frames = info.frames == SF_COUNT_MAX ? -1 : info.frames;
    reader->info_ = {format, info.samplerate, info.channels, frames};
    return std::unique_ptr<AudioReader>(std::move(reader));
  }

  const AudioInfo& info() const override { return info_; }

  int64_t read(std::span<float> samples) override {
    const auto wanted = static_cast<sf_count_t>(samples.size()) / info_.channels;
    const sf_count_t got = sf_readf_float(file_.get(), samples.data(), wanted);
    done_ += got;
    if (const int error = sf_error(file_.get()); error != SF_ERR_NO_ERROR) {
      fail(ErrorKind::invalid_data, "damaged {} sound after {} frames: {}", info_.format, done_,
           trimmed(sf_error_number(error)));
    }
    require(got == wanted || info_.frames < 0 || done_ >= info_.frames, ErrorKind::invalid_data,
            "truncated {} sound: {} frames of the {} that its header says", info_.format, done_, info_.frames);
    const auto values = samples.first(static_cast<size_t>(got * info_.channels));
    const auto bad = std::find_if_not(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    require(bad == values.end(), ErrorKind::invalid_data, "{} sound: frame {} is not a finite number", info_.format,
            done_ - got + (bad - values.begin()) / info_.channels);
    return got;
  }

 private:
  struct Close {
    void operator()(SNDFILE* file) const { sf_close(file); }
  };

  explicit SndfileReader(ByteSpan bytes) : memory_{bytes} {}

  static std::string trimmed(const char* text) {
    std::string line = text;
    while (!line.empty() && (line.back() == '\n' || line.back() == '.' || line.back() == ' ')) line.pop_back();
    return line;
  }

  MemoryFile memory_;
  std::unique_ptr<SNDFILE, Close> file_;
  AudioInfo info_;
  int64_t done_ = 0;
};

}  // namespace

bool is_wav_or_flac(ByteSpan bytes) {
  const detail::ByteReader reader(bytes, detail::ByteOrder::little);
  return is_wav(reader) || is_flac(reader);
}

Result<std::unique_ptr<AudioReader>> read_audio_bytes(ByteSpan bytes, const AudioLimits& limits) {
  const detail::ByteReader reader(bytes, detail::ByteOrder::little);
  if (is_wav(reader)) {
    if (const uint64_t missing = missing_wav_bytes(reader); missing > 0) {
      return Error(ErrorKind::invalid_data,
                   fmt::format("truncated WAV sound: {} bytes are missing at its end", missing));
    }
    return SndfileReader::open(bytes, "WAV", limits);
  }
  if (is_flac(reader)) return SndfileReader::open(bytes, "FLAC", limits);
  return Error(ErrorKind::unsupported, "not a WAV or FLAC sound");
}

}  // namespace sensorium::media
