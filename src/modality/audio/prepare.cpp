// Legend: T frames, C bands.
#include "modality/audio/prepare.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "media/resample.h"
#include "modality/audio/log_mel.h"
#include "modality/senses.h"

namespace sensorium::modality {
namespace {

constexpr int kLeastFrames = 32;  // two positions of an encoder that takes a sixteenth of the side
// About the middle and half the span of ln(energy) of ordinary recordings, -16 (silence) to 4.
constexpr float kMiddleLevel = -6, kHalfSpan = 5;
constexpr float kContrast = 3;  // e^3: 13 dB above the band's mean is 1

Tensor window_of(const media::Audio& mono) {
  const media::Audio heard = media::resample(mono, kSoundRateHz);
  return kaldi_log_mel(heard.samples, {.sample_rate_hz = kSoundRateHz, .bins = kSoundBands});
}

// What is heard in given parts of a sound that comes in pieces.
class Excerpts {
 public:
  Excerpts(std::span<const Recording::Span> spans, int rate_hz) {
    for (const Recording::Span& span : spans) {
      const double length = std::clamp(span.end_s - span.begin_s, kShortestSoundS, kSoundWindowS);
      const double begin = std::max(0.0, (span.begin_s + span.end_s - length) / 2);
      parts_.push_back({static_cast<int64_t>(begin * rate_hz), {rate_hz, 1, {}}});
      parts_.back().sound.samples.resize(static_cast<size_t>(length * rate_hz));
    }
  }
  // The next sample.
  void push(float sample) {
    for (Part& part : parts_) {
      const int64_t at = next_ - part.begin;
      if (at >= 0 && at < static_cast<int64_t>(part.sound.samples.size()))
        part.sound.samples[static_cast<size_t>(at)] = sample;
    }
    ++next_;
  }
  std::vector<Tensor> windows() const {
    std::vector<Tensor> result;
    for (const Part& part : parts_) result.push_back(window_of(part.sound));
    return result;
  }

 private:
  struct Part {
    int64_t begin;  // its first sample
    media::Audio sound;
  };
  std::vector<Part> parts_;
  int64_t next_ = 0;
};

}  // namespace

Recording hear(media::AudioReader& reader, std::span<const Recording::Span> film) {
  const int rate = reader.info().sample_rate_hz;
  const auto channels = static_cast<size_t>(reader.info().channels);
  const auto length = static_cast<size_t>(kSoundWindowS * rate);
  media::Audio window{rate, 1, {}};
  std::vector<float> piece(static_cast<size_t>(rate) * channels), before;
  WindowSampler sampler;
  Excerpts excerpts(film, rate);
  Recording recording{.sense = &sense_kind("audio"), .windows = {}, .seconds = 0};
  int64_t frames = 0;
  const auto keep = [&] { sampler.add([&] { return window_of(window); }); };
  for (bool more = true; more;) {
    const int64_t count = reader.read(piece);
    more = count * static_cast<int64_t>(channels) == static_cast<int64_t>(piece.size());
    frames += count;
    for (int64_t i = 0; i < count; ++i) {
      // A full window waits for the sample after it: the last one is not cut off from its end.
      if (window.samples.size() == length) {
        keep();
        before = std::move(window.samples);
        window.samples.clear();
      }
      float sum = 0;
      for (size_t c = 0; c < channels; ++c) sum += piece[static_cast<size_t>(i) * channels + c];
      window.samples.push_back(sum / static_cast<float>(channels));
      excerpts.push(window.samples.back());
    }
  }
  recording.seconds = static_cast<double>(frames) / rate;
  require(recording.seconds >= kShortestSoundS, ErrorKind::invalid_data,
          "a sound of {:.0f} ms; at least {:.0f} ms are needed to hear anything", recording.seconds * 1e3,
          kShortestSoundS * 1e3);
  if (!before.empty()) {
    before.insert(before.end(), window.samples.begin(), window.samples.end());
    window.samples.assign(before.end() - static_cast<int64_t>(length), before.end());
  }
  keep();
  recording.windows = sampler.take();
  recording.beside_film = excerpts.windows();
  return recording;
}

Recording load_sound(const std::filesystem::path& path, const media::FfmpegLimits& limits) {
  return load_sound(path, std::span<const Recording::Span>(), limits);
}

Recording load_sound(const std::filesystem::path& path, std::span<const Recording::Span> film,
                     const media::FfmpegLimits& limits) {
  const std::unique_ptr<media::AudioReader> reader = media::open_audio(path, {}, limits);
  try {
    return hear(*reader, film);
  } catch (const Error& error) {
    throw error.with_context(path.string());
  }
}

Signal sound_signal(const Tensor& log_mel_TC) {
  const auto frames = static_cast<int>(log_mel_TC.dim(0)), bands = static_cast<int>(log_mel_TC.dim(1));
  const float* mel = log_mel_TC.data<float>();
  Signal signal(bands, std::max(frames, kLeastFrames), 3);
  const int first = (signal.width - frames) / 2;
  for (int band = 0; band < bands; ++band) {
    double sum = 0;
    float quietest = mel[band];
    for (int t = 0; t < frames; ++t) {
      sum += mel[t * bands + band];
      quietest = std::min(quietest, mel[t * bands + band]);
    }
    const auto mean = static_cast<float>(sum / frames);
    const float place = 2 * (static_cast<float>(band) + 0.5f) / static_cast<float>(bands) - 1;
    for (int x = 0; x < signal.width; ++x) {
      const bool inside = x >= first && x < first + frames;
      const float level = inside ? mel[(x - first) * bands + band] : quietest;
      signal.at(band, x, 0) = (level - kMiddleLevel) / kHalfSpan;
      signal.at(band, x, 1) = (level - mean) / kContrast;
      signal.at(band, x, 2) = place;
    }
  }
  return signal;
}

}  // namespace sensorium::modality
