#include "media/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/threads.h"

namespace sensorium::media {
namespace {

constexpr int64_t kMostTaps = int64_t{1} << 24;
constexpr int64_t kGrain = 256;  // output periods that a thread takes at a time

// One filter for each of the `to` output samples of a period of `from` input samples.
struct Filters {
  int64_t from, to;            // rates without their common factor
  int64_t width;               // input samples before the period that a filter reaches; as many behind it
  int64_t taps;                // 2 width + from
  std::vector<float> weights;  // [to, taps]
};

Filters make_filters(int from_hz, int to_hz, const ResampleOptions& options) {
  const int divisor = std::gcd(from_hz, to_hz);
  Filters f{from_hz / divisor, to_hz / divisor, 0, 0, {}};
  // Cut-off in units of the reduced rates.
  const double base = static_cast<double>(std::min(f.from, f.to)) * options.rolloff;
  f.width = static_cast<int64_t>(std::ceil(options.lowpass_filter_width * static_cast<double>(f.from) / base));
  f.taps = 2 * f.width + f.from;
  require(f.taps <= kMostTaps / f.to, ErrorKind::limit,
          "resampling from {} to {} Hz needs {} filters of {} taps; go by a rate between them", from_hz, to_hz, f.to,
          f.taps);
  f.weights.resize(static_cast<size_t>(f.to * f.taps));
  for (int64_t phase = 0; phase < f.to; ++phase) {
    for (int64_t tap = 0; tap < f.taps; ++tap) {
      const double seconds = static_cast<double>(tap - f.width) / static_cast<double>(f.from) -
                             static_cast<double>(phase) / static_cast<double>(f.to);
      const double limit = options.lowpass_filter_width;
      const double t = std::clamp(seconds * base, -limit, limit);  // in zero crossings
      const double window = std::pow(std::cos(t * std::numbers::pi / limit / 2), 2);
      const double sinc = t == 0 ? 1 : std::sin(t * std::numbers::pi) / (t * std::numbers::pi);
      f.weights[static_cast<size_t>(phase * f.taps + tap)] =
          static_cast<float>(sinc * window * base / static_cast<double>(f.from));
    }
  }
  return f;
}

void resample_channel(const Filters& f, std::span<const float> padded, int64_t frames, std::vector<float>& out,
                      int64_t stride, int64_t offset) {
  const int64_t periods = (frames + f.to - 1) / f.to;
  parallel_for(periods, kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t period = begin; period < end; ++period) {
      const float* input = padded.data() + period * f.from;
      for (int64_t phase = 0; phase < f.to; ++phase) {
        const int64_t frame = period * f.to + phase;
        if (frame >= frames) break;
        const float* weights = f.weights.data() + phase * f.taps;
        float sum = 0;
        for (int64_t tap = 0; tap < f.taps; ++tap) sum += input[tap] * weights[tap];
        out[static_cast<size_t>(frame * stride + offset)] = sum;
      }
    }
  });
}

}  // namespace

Audio resample(const Audio& audio, int sample_rate_hz, const ResampleOptions& options) {
  require(audio.sample_rate_hz >= 1 && sample_rate_hz >= 1, ErrorKind::usage, "resampling from {} to {} Hz",
          audio.sample_rate_hz, sample_rate_hz);
  if (audio.sample_rate_hz == sample_rate_hz) return audio;
  const Filters f = make_filters(audio.sample_rate_hz, sample_rate_hz, options);
  const int64_t frames = (audio.frames() * f.to + f.from - 1) / f.from;
  Audio result{sample_rate_hz, audio.channels, std::vector<float>(static_cast<size_t>(frames * audio.channels))};
  const int64_t periods = (frames + f.to - 1) / f.to;
  std::vector<float> padded(
      static_cast<size_t>(std::max(audio.frames() + f.width, (periods - 1) * f.from + f.taps - f.width) + f.width));
  for (int64_t c = 0; c < audio.channels; ++c) {
    std::fill(padded.begin(), padded.end(), 0.0f);
    for (int64_t i = 0; i < audio.frames(); ++i) {
      padded[static_cast<size_t>(f.width + i)] = audio.samples[static_cast<size_t>(i * audio.channels + c)];
    }
    resample_channel(f, padded, frames, result.samples, audio.channels, c);
  }
  return result;
}

}  // namespace sensorium::media
